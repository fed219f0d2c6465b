import type { ReactNode } from "react";
import { Radio, RadioGroup } from "react-aria-components";
import type { NetworkKind, RouteView, Timing } from "../api/types";
import { useT, type Key, type Translate } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";

const TIMINGS = ["fast", "mixed"] as const;
const MINUTE_S = 60;

interface Props {
  route: RouteView;
  name: string;
  onRoute: (route: RouteView) => void;
}

/** Which of the ways to a contact is tried first; nothing to choose where there is one alone. */
export function WayChoice({ route, name, onRoute }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const behind = useStore(roost.status)?.relays[0]?.onion ?? false; // what goes to a relay then begins in an onion network
  const networks = [...new Set(route.ways.map((way) => way.network))];
  if (networks.length < 2) return null;
  const choose = (value: string): void =>
    void roost.attemptTo(async () => {
      onRoute(await roost.client.call("prefer", { conversation: route.conversation, network: value === "any" ? null : (value as NetworkKind) }));
      roost.refreshConversations();
    });
  return (
    <section className="card">
      <RadioGroup className="options" value={route.prefers ?? "any"} onChange={choose} aria-labelledby="way-title">
        <h3 id="way-title">{t("way.title")}</h3>
        <p className="hint">{t("way.how")}</p>
        <div className="options-list">
          <Choice value="any" says="way.any" hint={t("way.any.hint", { name })} />
          {networks.map((network) => {
            const way = behind && network === "federated" ? "behind" : network;
            return <Choice key={network} value={network} says={`network.${way}`} hint={t(`way.${way}.hint`)} />;
          })}
        </div>
      </RadioGroup>
    </section>
  );
}

/** How what one writes passes an onion network, and when it will be there. */
export function TimingChoice({ route, onRoute }: Omit<Props, "name">): ReactNode {
  const roost = useRoost();
  const t = useT();
  if (Object.keys(route.delays).length === 0) return null;
  const choose = (value: string): void =>
    void roost.attemptTo(async () => onRoute(await roost.client.call("set-timing", { conversation: route.conversation, timing: value as Timing })));
  return (
    <section className="card">
      <RadioGroup className="options" value={route.timing} onChange={choose} aria-labelledby="timing-title">
        <h3 id="timing-title">{t("timing.title")}</h3>
        <div className="options-list">
          {TIMINGS.map((timing) => <Choice key={timing} value={timing} says={`timing.${timing}`} hint={[expected(route.delays[timing], t), t(`timing.${timing}.hint`)].join(" ")} />)}
        </div>
      </RadioGroup>
    </section>
  );
}

function Choice({ value, says, hint }: { value: string; says: Key; hint: string }): ReactNode {
  const t = useT();
  return (
    <Radio value={value} className="option">
      <span>{t(says)}</span>
      <span className="hint">{hint}</span>
    </Radio>
  );
}

/** An expected delay in words. */
function expected(seconds: number | undefined, t: Translate): string {
  if (seconds === undefined) return "";
  const time =
    seconds < 1.5 ? t("delay.moment") : seconds < 1.5 * MINUTE_S ? t("delay.seconds.other", { n: Math.round(seconds) }) : t("delay.minutes.other", { n: Math.round(seconds / MINUTE_S) });
  return t("timing.delay", { time });
}
