import { Fragment, type ReactNode } from "react";
import type { Conversation, Hop, RouteView } from "../api/types";
import type { Key, Translate } from "../i18n/i18n";
import { useT } from "../i18n/i18n";
import { Icon, type IconName } from "../ui/icons";
import { cleanName } from "../ui/text";

interface Props {
  route: RouteView;
  conversation: Conversation;
  /** How the ends are placed, in a sentence. */
  how: string;
  /** What stands between the picture and the table. */
  children?: ReactNode;
}

/** What a way is called; one to another's relay may begin in an onion network. */
export function wayOf(route: RouteView): RouteView["network"] | "behind" {
  return route.network === "federated" && route.hops.some((hop) => hop.party === "entry") ? "behind" : route.network;
}

/** The way of a conversation's messages, hop by hop, and what each party on it can see. */
export function Way({ route, conversation, how, children }: Props): ReactNode {
  const t = useT();
  const name = cleanName(conversation.name);
  return (
    <Fragment>
      <section className="card">
        <h3>{t(`network.${wayOf(route)}`)}</h3>
        <p className="hint">{how}</p>
        <ol className="hops">
          {legs(route.hops).map((leg, index, all) =>
            leg.length === 1 ? <Station key={index} hop={leg[0]!} last={index === all.length - 1} conversation={conversation} /> : <Stations key={index} hops={leg} mine={index === 1} conversation={conversation} />,
          )}
        </ol>
        {route.hops.some((hop) => hop.party === "entry" && hop.name !== "") && <p className="hint">{t("route.fresh")}</p>}
      </section>
      {children}
      <section className="card">
        <h3>{t("route.sees")}</h3>
        <ul className="parties">
          {route.exposure.map((row) => (
            <li key={row.party}>
              <h4>{partyName(row.party, name, t, conversation.kind)}</h4>
              <Facts ids={row.sees} facts={route.facts} kind="sees" />
              <Facts ids={row.hidden} facts={route.facts} kind="hidden" />
            </li>
          ))}
        </ul>
      </section>
    </Fragment>
  );
}

const STATIONS: Record<string, Key> = { entry: "station.entry", middle: "station.middle", exit: "station.exit", their_entry: "station.entry" };

/** What stands on a way, one after the other; the stations of one side of an onion network together. */
function legs(hops: Hop[]): Hop[][] {
  const found: Hop[][] = [];
  let before = false;
  for (const hop of hops) {
    const station = hop.party in STATIONS;
    if (station && before) found.at(-1)?.push(hop);
    else found.push([hop]);
    before = station;
  }
  return found;
}

const PARTIES: Record<string, Key> = {
  me: "party.me",
  relay: "party.relay",
  my_relay: "party.my_relay",
  their_relay: "party.their_relay",
  both_relays: "party.both_relays",
  contact: "party.contact",
  outsider: "party.outsider",
  entry: "party.entry",
  middle: "party.middle",
  exit: "party.exit",
  their_entry: "party.their_entry",
  forwarder: "party.forwarder",
  all_stations: "party.all_stations",
  swarm: "party.swarm",
  host: "party.host",
  host_member: "party.host_member",
  member: "party.member",
  reader: "party.reader",
};

function partyName(party: string, name: string, t: Translate, kind: Conversation["kind"]): string {
  const key = party === "relay" && kind !== "direct" ? "party.shared_relay" : PARTIES[party];
  return key ? t(key, { name }) : party;
}

function icon(party: string): IconName {
  return party === "me" || party === "contact" || party === "host_member" ? "person" : party === "member" || party === "reader" ? "people" : "relay";
}

function Station({ hop, last, conversation }: { hop: Hop; last: boolean; conversation: Conversation }): ReactNode {
  const t = useT();
  const down = hop.reachable === false;
  return (
    <li className={!down ? "hop" : hop.party === "contact" ? "hop away" : "hop down"}>
      <span className="hop-dot"><Icon name={icon(hop.party)} size={18} /></span>
      <span className="hop-text">
        <span>{partyName(hop.party, cleanName(conversation.name), t, conversation.kind)}</span>
        {hop.party !== "contact" && hop.party !== "host_member" && hop.name !== "" && <bdi className="hint">{cleanName(hop.name)}</bdi>}
        {down && <span className={hop.party === "contact" ? "hint" : "hint bad"}>{t(hop.party === "contact" ? "near.not" : "route.unreachable")}</span>}
      </span>
      {!last && <span className="hop-line" aria-hidden="true" />}
    </li>
  );
}

function Stations({ hops, mine, conversation }: { hops: Hop[]; mine: boolean; conversation: Conversation }): ReactNode {
  const t = useT();
  const side = t(mine ? "route.mine" : "route.theirs", { name: cleanName(conversation.name) });
  return (
    <li className="hop side">
      <span className="hop-dot" aria-hidden="true"><Icon name="route" size={18} /></span>
      <div className="hop-text">
        <span>{side}</span>
        <ol className="stations" aria-label={side}>
          {hops.map((hop) => (
            <li key={hop.party} className={hop.reachable === false ? "station down" : "station"}>
              <span>{t(STATIONS[hop.party]!)}</span>
              {hop.name !== "" && <bdi className="hint">{cleanName(hop.name)}</bdi>}
              {hop.reachable === false && <span className="hint bad">{t("route.unreachable")}</span>}
            </li>
          ))}
        </ol>
      </div>
      <span className="hop-line" aria-hidden="true" />
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
  stations: "fact.stations",
  contacts: "fact.contacts",
  membership: "fact.membership",
  writers: "fact.writers",
  log: "fact.log",
  account: "fact.account",
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
