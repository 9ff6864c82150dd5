// exchange-core's OrderBookDirectImpl on a workload file; prints "commands-a-second fills". Run by peers.ts as a single-file program.
import exchange.core2.collections.objpool.ObjectsPool;
import exchange.core2.core.common.CoreSymbolSpecification;
import exchange.core2.core.common.MatcherEventType;
import exchange.core2.core.common.MatcherTradeEvent;
import exchange.core2.core.common.OrderAction;
import exchange.core2.core.common.OrderType;
import exchange.core2.core.common.SymbolType;
import exchange.core2.core.common.cmd.CommandResultCode;
import exchange.core2.core.common.cmd.OrderCommand;
import exchange.core2.core.common.cmd.OrderCommandType;
import exchange.core2.core.common.config.LoggingConfiguration;
import exchange.core2.core.orderbook.IOrderBook;
import exchange.core2.core.orderbook.OrderBookDirectImpl;
import exchange.core2.core.orderbook.OrderBookEventsHelper;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

public final class ExchangeCoreBook {
  /** Passes before the one that counts: HotSpot's second compiler needs them. */
  private static final int WARM_PASSES = 2;

  public static void main(String[] arguments) throws Exception {
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(Path.of(arguments[0]))).order(ByteOrder.LITTLE_ENDIAN);
    String result = "";
    for (int pass = 0; pass <= WARM_PASSES; pass++) result = run(file);
    System.out.println(result);
  }

  private static String run(ByteBuffer file) {
    CoreSymbolSpecification symbol = CoreSymbolSpecification.builder().symbolId(1).type(SymbolType.CURRENCY_EXCHANGE_PAIR).baseCurrency(1)
        .quoteCurrency(2).baseScaleK(1).quoteScaleK(1).takerFee(0).makerFee(0).build();
    IOrderBook book = new OrderBookDirectImpl(symbol, ObjectsPool.createDefaultTestPool(), OrderBookEventsHelper.NON_POOLED_EVENTS_HELPER,
        LoggingConfiguration.DEFAULT);
    OrderCommand command = new OrderCommand();
    command.symbol = 1;
    int count = file.capacity() / 16;
    int warm = count / 4;
    long fills = 0;
    long start = 0;
    for (int index = 0; index < count; index++) {
      if (index == warm) start = System.nanoTime();
      int at = index * 16;
      int type = file.get(at);
      command.orderId = file.getInt(at + 12) & 0xffffffffL;
      command.uid = file.getShort(at + 2) & 0xffff;
      command.matcherEvent = null;
      if (type == 2) {
        command.command = OrderCommandType.CANCEL_ORDER;
        command.resultCode = book.cancelOrder(command);
        continue;
      }
      command.command = OrderCommandType.PLACE_ORDER;
      command.orderType = type == 0 ? OrderType.GTC : OrderType.IOC;
      command.action = file.get(at + 1) == 0 ? OrderAction.BID : OrderAction.ASK;
      command.price = file.getInt(at + 4);
      command.reserveBidPrice = command.price;
      command.size = file.getInt(at + 8) & 0xffffffffL;
      command.timestamp = index;
      book.newOrder(command);
      for (MatcherTradeEvent event = command.matcherEvent; event != null; event = event.nextEvent)
        if (event.eventType == MatcherEventType.TRADE) fills++;
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    return Math.round((count - warm) / seconds) + " " + fills;
  }
}
