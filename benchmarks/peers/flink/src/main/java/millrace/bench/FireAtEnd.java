package millrace.bench;

import org.apache.flink.streaming.api.windowing.triggers.Trigger;
import org.apache.flink.streaming.api.windowing.triggers.TriggerResult;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;

/**
 * Fires a window when the watermark passes its end, as Flink's own EventTimeTrigger does, but without a timer of its own: the timer that
 * the window operator sets for cleaning up is due at the same time, and every record would otherwise look up both.
 */
final class FireAtEnd<T> extends Trigger<T, TimeWindow> {
  private static final long serialVersionUID = 1;

  @Override
  public TriggerResult onElement(T element, long timestamp, TimeWindow window, TriggerContext context) {
    return TriggerResult.CONTINUE;
  }

  @Override
  public TriggerResult onEventTime(long time, TimeWindow window, TriggerContext context) {
    return time == window.maxTimestamp() ? TriggerResult.FIRE : TriggerResult.CONTINUE;
  }

  @Override
  public TriggerResult onProcessingTime(long time, TimeWindow window, TriggerContext context) {
    return TriggerResult.CONTINUE;
  }

  @Override
  public void clear(TimeWindow window, TriggerContext context) {}
}
