package millrace.bench;

import java.io.IOException;
import org.apache.flink.api.common.functions.FilterFunction;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** q3: who sells in category 10 and lives in OR, ID or CA. Auctions that come before their seller wait for them. */
final class LocalItems {
  private LocalItems() {}

  static void define(Pipeline pipeline) {
    DataStream<PersonOrAuction> local =
        pipeline.inOrder(new PersonOrAuction.All(true), PersonOrAuction.class)
            .filter(new Local())
            .setParallelism(1);
    pipeline.sink(
        pipeline
            .keyBy(local, new PersonOrAuction.Key(), Types.INT)
            .process(new Join())
            .returns(FlatType.forClass(LocalAuction.class)));
  }

  private static final class Local implements FilterFunction<PersonOrAuction> {
    private static final long serialVersionUID = 1;
    private static final int CATEGORY = 10;

    @Override
    public boolean filter(PersonOrAuction event) {
      if (!event.isPerson) return event.category == CATEGORY;
      String state = event.state;
      return state.equals("OR") || state.equals("ID") || state.equals("CA");
    }
  }

  private static final class Join extends KeyedProcessFunction<Integer, PersonOrAuction, LocalAuction> {
    private static final long serialVersionUID = 1;

    private transient ValueState<LocalAuction> seller;
    private transient ListState<Integer> waiting;

    @Override
    public void open(OpenContext context) {
      seller = getRuntimeContext().getState(new ValueStateDescriptor<>("seller", FlatType.forClass(LocalAuction.class)));
      waiting = getRuntimeContext().getListState(new ListStateDescriptor<>("waiting", Types.INT));
    }

    @Override
    public void processElement(PersonOrAuction event, Context context, Collector<LocalAuction> out)
        throws Exception {
      if (event.isPerson) {
        LocalAuction person = new LocalAuction(event.name, event.city, event.state, 0);
        seller.update(person);
        for (int auction : waiting.get()) out.collect(person.with(auction));
        waiting.clear();
      } else {
        LocalAuction person = seller.value();
        if (person == null) waiting.add(event.auction);
        else out.collect(person.with(event.auction));
      }
    }
  }

  /** Result of q3; without its auction, what is kept of a seller. */
  static final class LocalAuction implements Flat<LocalAuction>, ResultRow {
    private String name = "";
    private String city = "";
    private String state = "";
    private int auction;

    LocalAuction() {}

    LocalAuction(String name, String city, String state, int auction) {
      this.name = name;
      this.city = city;
      this.state = state;
      this.auction = auction;
    }

    LocalAuction with(int other) {
      return new LocalAuction(name, city, state, other);
    }

    @Override
    public LocalAuction fresh() {
      return new LocalAuction();
    }

    @Override
    public LocalAuction copy() {
      return this; // nobody changes one
    }

    @Override
    public void write(DataOutputView out) throws IOException {
      FlatText.write(name, out);
      FlatText.write(city, out);
      FlatText.write(state, out);
      out.writeInt(auction);
    }

    @Override
    public void read(DataInputView in) throws IOException {
      name = FlatText.read(in);
      city = FlatText.read(in);
      state = FlatText.read(in);
      auction = in.readInt();
    }

    @Override
    public int hash() {
      return RowHash.add(RowHash.add(RowHash.add(RowHash.add(0, name), city), state), auction);
    }

    @Override
    public String line() {
      return name + "," + city + "," + state + "," + auction;
    }
  }
}
