import type { ReactNode } from "react";
import type { Conversation, RouteView } from "../api/types";
import { useT, type Translate } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { FloorChoice } from "./FloorChoice";
import { TimingChoice, WayChoice } from "./TravelChoice";
import { useRoute } from "./useRoute";
import { Way, wayOf } from "./Way";
import { Avatar } from "../ui/Avatar";
import { Button, IconButton } from "../ui/controls";
import { Icon } from "../ui/icons";
import { cleanName } from "../ui/text";

interface Props {
  conversation: Conversation;
  onClose: () => void;
  onRelays: () => void;
  onCarriers: () => void;
}

/** A person, the way of what is said with them, and what each party on it can see. */
export function RoutePanel({ conversation, onClose, onRelays, onCarriers }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [route, setRoute] = useRoute(conversation);
  const name = cleanName(conversation.name);
  return (
    <aside className="panel" aria-label={t("route.title")}>
      <header className="panel-head">
        <h2>{t("route.title")}</h2>
        <IconButton icon="close" label={t("common.close")} onPress={onClose} />
      </header>
      <div className="panel-who">
        <Avatar id={conversation.id} name={conversation.name} picture={conversation.picture} client={roost.client} size="large" />
        <bdi className="panel-name">{name}</bdi>
        {conversation.own_name !== conversation.name && <bdi className="hint">{cleanName(conversation.own_name)}</bdi>}
        {conversation.status !== "" && <bdi className="hint">{cleanName(conversation.status, 200)}</bdi>}
        <span className={conversation.verified ? "chip good" : "chip"}>
          <Icon name="shield" size={15} /> {t(conversation.verified ? "contact.verified" : "contact.unverified")}
        </span>
      </div>
      {route && (
        <>
          <Way route={route} conversation={conversation} how={how(route, name, t)}>
            <Addresses route={route} name={name} />
            {conversation.state === "accepted" && <WayChoice route={route} name={name} onRoute={setRoute} />}
            {conversation.state === "accepted" && <TimingChoice route={route} onRoute={setRoute} />}
            {conversation.state === "accepted" && <FloorChoice route={route} name={name} onRoute={setRoute} onRelays={onRelays} onCarriers={onCarriers} />}
          </Way>
          <p className="hint panel-note">{t(route.network === "direct" ? "route.chooseDirect" : "route.choose", { name })}</p>
          {route.network === "direct" && <Button onPress={onCarriers}>{t("route.carriers")}</Button>}
        </>
      )}
    </aside>
  );
}

/** How the ends are placed; of two devices also whether they are in reach of each other now. */
function how(route: RouteView, name: string, t: Translate): string {
  const said = t(`network.${wayOf(route)}.how`, { name });
  if (route.carrier !== "") return `${said} ${t("route.over", { over: t(`over.${route.carrier}`) })}`;
  return route.network === "direct" && !route.held ? `${said} ${t("route.apart")}` : said;
}

/** Where the contact's devices can be written to, if that is not one relay alone. */
function Addresses({ route, name }: { route: RouteView; name: string }): ReactNode {
  const t = useT();
  const device = route.ways.some((way) => way.network === "direct");
  if (route.ways.length < 2 || !(device || route.ways.some((way) => way.network === "onion"))) return null;
  return (
    <section className="card">
      <h3>{t("route.ways", { name })}</h3>
      <ul className="bullets">
        {route.ways.map((way) => (
          <li key={`${way.network} ${way.host}`}>{way.network === "direct" ? t("route.way.device") : t(way.network === "onion" ? "route.way.network" : "route.way.relay", { host: cleanName(way.host) })}</li>
        ))}
      </ul>
      {device && <p className="hint">{t("route.waysHow")}</p>}
    </section>
  );
}
