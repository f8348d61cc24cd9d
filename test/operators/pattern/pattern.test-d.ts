import { pattern } from '../../../operators/pattern/pattern.ts';
import { patternMatch, type TimedOutMatch } from '../../../operators/pattern/pattern-operator.ts';
import { hasType } from '../../types/sinks.ts';

/** Types of patterns, accepted and rejected. Checked by tsc; never run. */
interface Add {
  readonly kind: 'add';
  readonly sku: string;
}
interface Pay {
  readonly kind: 'pay';
  readonly total: number;
}
interface Cancel {
  readonly kind: 'cancel';
}
type ShopEvent = Add | Pay | Cancel;

const checkout = pattern<ShopEvent>()
  .start('cart', (e) => e.kind === 'add')
  .followedBy('pay', (e, { captures }) => e.kind === 'pay' && captures.cart.sku !== '')
  .notFollowedBy('cancel', (e) => e.kind === 'cancel')
  .within('10m');

patternMatch({
  pattern: checkout,
  select: (match, { key }: { key: { readonly user: string } }) => {
    hasType<Add>()(match.cart);
    hasType<ShopEvent>()(match.pay); // the condition says more than the kind
    // @ts-expect-error what must not come is no capture
    void match.cancel;
    return { user: key.user, sku: match.cart.sku };
  },
  timedOut: (partial) => {
    hasType<Add | undefined>()(partial.cart);
    return undefined;
  },
});

const isPay = (e: ShopEvent): e is Pay => e.kind === 'pay';
const all = pattern<ShopEvent>()
  .begin('adds', (e) => e.kind === 'add')
  .oneOrMore()
  .greedy()
  .next('pay', isPay)
  .where((e) => e.total > 10)
  .optional()
  .followedByAny('either', isPay)
  .or((e) => e.kind === 'cancel')
  .next('last', (e, { captures, taken, timestamp }) => {
    hasType<readonly Add[]>()(captures.adds);
    hasType<Pay | undefined>()(captures.pay);
    hasType<Pay | Cancel>()(captures.either);
    hasType<readonly ShopEvent[]>()(taken);
    hasType<number>()(timestamp);
    // @ts-expect-error a step does not see itself among the captures
    void captures.last;
    return e.kind === 'add';
  })
  .timesOrMore(2)
  .optional()
  .until((e) => e.kind === 'cancel')
  .within(1000)
  .skipToLast('adds');

const definition = patternMatch({
  pattern: all,
  select: (match) => {
    hasType<readonly Add[]>()(match.adds);
    hasType<Pay | undefined>()(match.pay);
    hasType<readonly Add[]>()(match.last);
    return match.adds.length;
  },
});
hasType<readonly string[]>()(definition.sides);

type Checkout = { readonly cart: Add; readonly pay: ShopEvent };
hasType<Partial<Checkout>>()({} as TimedOutMatch<string, Checkout>['captures']);

const start = pattern<ShopEvent>().start('a', isPay);
// @ts-expect-error a name is used once
start.next('a', isPay);
// @ts-expect-error nor may what must not come have it
start.notNext('a', isPay);
// @ts-expect-error only steps that capture can be skipped to
start.notFollowedBy('n', isPay).skipToFirst('n');
// @ts-expect-error a pattern begins with a step
pattern<ShopEvent>().next('a', isPay);
// @ts-expect-error what must not come does not repeat
start.notNext('n', isPay).oneOrMore();
// @ts-expect-error only a repeated step is greedy
start.greedy();
// @ts-expect-error a step with a greatest number needs no until
start.times(2).until(isPay);
// @ts-expect-error a closed pattern does not go on
start.within('1s').next('b', isPay);
// @ts-expect-error durations have units
start.within('1 hour');
// @ts-expect-error conditions are of the events' type
start.next('b', (e: { readonly other: string }) => e.other === '');
// @ts-expect-error a condition gives a boolean
start.next('b', (e) => e.kind);
