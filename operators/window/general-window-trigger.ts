import type { Clock } from '#engine';
import type { TimeWindow } from './assigner.ts';
import type { OpenWindow, WindowStore } from './general-window-store.ts';
import { defineTrigger, type Trigger, type TriggerContext, type TriggerTimers } from './trigger.ts';

/** A trigger's view of {@link current}, which is set before each call. One per operator: nothing is made per record. */
export class WindowTriggerContext implements TriggerContext<unknown> {
  current!: OpenWindow;
  readonly timers: TriggerTimers;
  readonly #initial: () => unknown;
  readonly #store: WindowStore;
  readonly #clock: Clock;

  constructor(trigger: Trigger<never>, store: WindowStore, clock: Clock) {
    this.#initial = trigger.state;
    this.#store = store;
    this.#clock = clock;
    this.timers = {
      atEventTime: (time) => store.addEventTimer(this.current, time),
      atProcessingTime: (time) => store.addProcessingTimer(this.current, time),
      deleteEventTime: (time) => store.deleteEventTimer(this.current, time),
      deleteProcessingTime: (time) => store.deleteProcessingTimer(this.current, time),
    };
  }

  get window(): TimeWindow {
    return { start: this.current.start, end: this.current.end };
  }

  get maxTimestamp(): number {
    return this.current.maxTimestamp;
  }

  get watermark(): number {
    return this.#store.watermark;
  }

  get processingTime(): number {
    return this.#clock.now();
  }

  get state(): unknown {
    const { triggerState } = this.current;
    return triggerState === undefined ? (this.current.triggerState = this.#initial()) : triggerState;
  }

  set state(state: unknown) {
    this.current.triggerState = state;
  }

  readonly resetState = (): void => {
    this.current.triggerState = undefined;
  };
}

/** Of global windows that nobody gave a trigger. */
export const never: Trigger<unknown> = defineTrigger({
  name: 'never',
  onRecord: () => 'continue',
  onMerge: () => {},
});
