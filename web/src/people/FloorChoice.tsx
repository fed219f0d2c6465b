import type { ReactNode } from "react";
import { Radio, RadioGroup } from "react-aria-components";
import type { NetworkKind, RouteView } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Button } from "../ui/controls";

const CHOICES = ["central", "federated", "onion"] as const; // directly is no floor: it is taken whenever it can be
const STRENGTH: Record<NetworkKind, number> = { direct: 0, central: 0, federated: 1, onion: 2 };

interface Props {
  route: RouteView;
  name: string;
  onRoute: (route: RouteView) => void;
  onRelays: () => void;
  onCarriers: () => void;
}

/** Which networks this conversation may take. The stricter of both people's choices holds; the rest waits. */
export function FloorChoice({ route, name, onRoute, onRelays, onCarriers }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const choose = (network: string): void =>
    void roost.attemptTo(async () => {
      onRoute(await roost.client.call("floor", { conversation: route.conversation, network: network as NetworkKind }));
      roost.refreshConversations();
    });
  const direct = route.network === "direct" || route.ways.some((way) => way.network === "direct");
  const onion = route.floor === "onion" || route.their_floor === "onion";
  const theirs = STRENGTH[route.their_floor] > STRENGTH[route.floor];
  return (
    <section className="card">
      <RadioGroup className="options" value={route.floor} onChange={choose} aria-labelledby="floor-title">
        <h3 id="floor-title">{t("floor.title")}</h3>
        <p className="hint">{t("floor.how")}</p>
        <div className="options-list">
          {CHOICES.map((network) => (
            <Radio key={network} value={network} className="option" isDisabled={!route.choices.includes(network)}>
              <span>{t(`floor.${network}`)}</span>
              <span className="hint">{t(!route.choices.includes(network) ? "floor.onionLacks" : direct ? `floor.${network}.direct` : `floor.${network}.hint`)}</span>
            </Radio>
          ))}
        </div>
      </RadioGroup>
      {theirs && <p className="hint">{t("floor.theirs", { name })}</p>}
      {route.held && (
        <div className="notice" role="status">
          <p>{t(direct ? "floor.heldDirect" : onion ? "floor.heldOnion" : "floor.held", { name })}</p>
          <Button onPress={direct ? onCarriers : onRelays}>{t(direct ? "route.carriers" : onion ? "floor.networks" : "floor.relays")}</Button>
        </div>
      )}
    </section>
  );
}
