import { useEffect, useState, type ReactNode } from "react";
import type { Conversation, Hop, RouteView } from "../api/types";
import type { Key, Translate } from "../i18n/i18n";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { FloorChoice } from "./FloorChoice";
import { Avatar } from "../ui/Avatar";
import { IconButton } from "../ui/controls";
import { Icon, type IconName } from "../ui/icons";
import { cleanName } from "../ui/text";

/** The way of a conversation's messages, hop by hop, and what each party on it can see. */
export function RoutePanel({ conversation, onClose, onRelays }: { conversation: Conversation; onClose: () => void; onRelays: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const link = useStore(roost.link);
  const [route, setRoute] = useState<RouteView | null>(null);
  useEffect(() => {
    void roost.client.call("route", { conversation: conversation.id }).then(setRoute).catch(() => undefined);
  }, [roost, conversation.id, conversation.network, conversation.waiting, conversation.held, link]);
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
          <section className="card">
            <h3>{t(`network.${route.network}`)}</h3>
            <p className="hint">{t(`network.${route.network}.how`, { name })}</p>
            <ol className="hops">
              {route.hops.map((hop, index) => <Station key={index} hop={hop} last={index === route.hops.length - 1} conversation={conversation} />)}
            </ol>
          </section>
          {conversation.state === "accepted" && <FloorChoice route={route} name={name} onRoute={setRoute} onRelays={onRelays} />}
          <section className="card">
            <h3>{t("route.sees")}</h3>
            <ul className="parties">
              {route.exposure.map((row) => (
                <li key={row.party}>
                  <h4>{partyName(row.party, name, t)}</h4>
                  <Facts ids={row.sees} facts={route.facts} kind="sees" />
                  <Facts ids={row.hidden} facts={route.facts} kind="hidden" />
                </li>
              ))}
            </ul>
          </section>
          <p className="hint panel-note">{t("route.choose", { name })}</p>
        </>
      )}
    </aside>
  );
}

const PARTIES: Record<string, Key> = {
  me: "party.me",
  relay: "party.relay",
  my_relay: "party.my_relay",
  their_relay: "party.their_relay",
  both_relays: "party.both_relays",
  contact: "party.contact",
  outsider: "party.outsider",
  node: "party.node",
  swarm: "party.swarm",
};

function partyName(party: string, name: string, t: Translate): string {
  const key = PARTIES[party];
  return key ? t(key, { name }) : party;
}

function icon(party: string): IconName {
  return party === "me" || party === "contact" ? "person" : "relay";
}

function Station({ hop, last, conversation }: { hop: Hop; last: boolean; conversation: Conversation }): ReactNode {
  const t = useT();
  const down = hop.reachable === false;
  return (
    <li className={down ? "hop down" : "hop"}>
      <span className="hop-dot"><Icon name={icon(hop.party)} size={18} /></span>
      <span className="hop-text">
        <span>{partyName(hop.party, cleanName(conversation.name), t)}</span>
        {hop.party !== "contact" && hop.name !== "" && <bdi className="hint">{cleanName(hop.name)}</bdi>}
        {down && <span className="hint bad">{t("route.unreachable")}</span>}
      </span>
      {!last && <span className="hop-line" aria-hidden="true" />}
    </li>
  );
}

const FACTS: Record<string, Key> = {
  content: "fact.content",
  talking: "fact.talking",
  my_address: "fact.my_address",
  their_address: "fact.their_address",
  mailboxes: "fact.mailboxes",
  times: "fact.times",
  contacts: "fact.contacts",
};

function Facts({ ids, facts, kind }: { ids: string[]; facts: Record<string, string>; kind: "sees" | "hidden" }): ReactNode {
  const t = useT();
  if (ids.length === 0) return null;
  const words = ids.map((id) => (FACTS[id] ? t(FACTS[id]) : (facts[id] ?? id)));
  return (
    <p className={`facts-line ${kind}`}>
      <span className="facts-label">{t(kind === "sees" ? "route.canSee" : "route.cannotSee")}</span> {words.join(" · ")}
    </p>
  );
}
