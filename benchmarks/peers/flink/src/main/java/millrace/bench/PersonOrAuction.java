package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.connector.source.SourceOutput;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** A person, or an auction of theirs: one stream with one key, so that a join needs one input. */
final class PersonOrAuction implements Flat<PersonOrAuction> {
  boolean isPerson;
  /** The person's id, or the seller's. */
  int person;
  String name = "";
  String city = "";
  String state = "";
  int auction;
  int category;

  @Override
  public PersonOrAuction fresh() {
    return new PersonOrAuction();
  }

  @Override
  public PersonOrAuction copy() {
    PersonOrAuction copy = new PersonOrAuction();
    copy.isPerson = isPerson;
    copy.person = person;
    copy.name = name;
    copy.city = city;
    copy.state = state;
    copy.auction = auction;
    copy.category = category;
    return copy;
  }

  @Override
  public void write(DataOutputView out) throws IOException {
    out.writeBoolean(isPerson);
    out.writeInt(person);
    if (isPerson) {
      FlatText.write(name, out);
      FlatText.write(city, out);
      FlatText.write(state, out);
    } else {
      out.writeInt(auction);
      out.writeInt(category);
    }
  }

  @Override
  public void read(DataInputView in) throws IOException {
    isPerson = in.readBoolean();
    person = in.readInt();
    if (isPerson) {
      name = FlatText.read(in);
      city = FlatText.read(in);
      state = FlatText.read(in);
    } else {
      auction = in.readInt();
      category = in.readInt();
    }
  }

  static final class Key implements KeySelector<PersonOrAuction, Integer> {
    private static final long serialVersionUID = 1;

    @Override
    public Integer getKey(PersonOrAuction event) {
      return event.person;
    }
  }

  /** Persons and auctions of a frame; city, state and category only where they are asked for. */
  static final class All implements Emitter<PersonOrAuction> {
    private static final long serialVersionUID = 1;

    private final boolean withDetails;
    private transient FrameDecoder.Column kind;
    private transient FrameDecoder.Column at;
    private transient FrameDecoder.Column id;
    private transient FrameDecoder.Column name;
    private transient FrameDecoder.Column city;
    private transient FrameDecoder.Column state;
    private transient FrameDecoder.Column seller;
    private transient FrameDecoder.Column category;
    private transient PersonOrAuction event;

    All(boolean withDetails) {
      this.withDetails = withDetails;
    }

    @Override
    public FrameDecoder open() {
      FrameDecoder decoder =
          withDetails
              ? new FrameDecoder(
                  NexmarkEvent.SCHEMA, "at", "kind", "id", "name", "city", "state", "seller", "category")
              : new FrameDecoder(NexmarkEvent.SCHEMA, "at", "kind", "id", "name", "seller");
      kind = decoder.column("kind");
      at = decoder.column("at");
      id = decoder.column("id");
      name = decoder.column("name");
      city = decoder.column("city");
      state = decoder.column("state");
      seller = decoder.column("seller");
      category = decoder.column("category");
      event = new PersonOrAuction();
      return decoder;
    }

    @Override
    public void emit(int records, SourceOutput<PersonOrAuction> output) {
      for (int i = 0; i < records; i++) {
        int what = kind.ints[i];
        if (what == NexmarkEvent.BID) continue;
        event.isPerson = what == NexmarkEvent.PERSON;
        if (event.isPerson) {
          event.person = id.ints[i];
          event.name = name.texts[name.codes[i]];
          if (withDetails) {
            event.city = city.texts[city.codes[i]];
            event.state = state.texts[state.codes[i]];
          }
        } else {
          event.person = seller.ints[i];
          event.auction = id.ints[i];
          if (withDetails) event.category = category.ints[i];
        }
        output.collect(event, at.times[i]);
      }
    }
  }
}
