package millrace.bench;

import org.apache.flink.api.connector.source.SourceSplit;

/** A split that belongs to one reader from the start. */
interface OwnSplit extends SourceSplit {
  /** Of the subtask that reads it. */
  int index();
}
