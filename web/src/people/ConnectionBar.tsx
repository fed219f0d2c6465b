import type { ReactNode } from "react";
import type { Carrier } from "../api/direct";
import type { RelayState, Status } from "../api/types";
import { useT, type Key } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { cleanName } from "../ui/text";

/** Says what is wrong with the connection, and nothing when all is well; and first of all whether this device still counts. */
export function ConnectionBar(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const link = useStore(roost.link);
  const status = useStore(roost.status);
  const carriers = useStore(roost.carriers);
  const conversations = useStore(roost.conversations);
  const standing = status?.device_state ?? "linked";
  if (standing !== "linked") return <div className="connection gone" role="status">{t(`device.${standing}`)}</div>;
  const down = status?.relays.find((relay) => !relay.here && !relay.home && !relay.reachable && (link !== "online" || relay.reason !== ""));
  const apart = link === "online" && !down && status !== null ? whyApart(status, carriers) : null;
  if (apart !== null) {
    return (
      <div className="connection connecting" role="status">
        <span>{t(apart.says)}</span>
        {apart.why !== "" && <span className="hint" dir="auto">{cleanName(apart.why, 160)}</span>}
      </div>
    );
  }
  if (link === "online" && !down) return <div role="status" className="visually-hidden">{t("link.online")}</div>;
  const waiting = [...conversations.values()].reduce((sum, row) => sum + row.waiting, 0);
  const shown = down && link === "online" ? "offline" : link; // one of several is away: what goes through it waits
  const host = down?.link_host ?? "";
  return (
    <div className={`connection ${shown}`} role="status">
      <span>{t(down?.onion ? ofNetwork(down, shown) : `link.${shown}`, { host })}</span>
      {down?.problem === "no_consensus" && link !== "gone" && <span className="hint">{t("link.noConsensusHint")}</span>}
      {shown === "offline" && down && !down.onion && down.reason !== "" && <span className="hint">{cleanName(down.reason, 160)}</span>}
      {link !== "gone" && waiting > 0 && <span className="hint">{t("link.waiting.other", { n: waiting })}</span>}
    </div>
  );
}

/** An onion network is no place to be connected to: there is a way into it or none. */
function ofNetwork(network: RelayState, shown: "connecting" | "offline" | "gone" | "online"): Key {
  if (shown === "gone") return "link.gone";
  if (network.problem === "no_consensus") return "link.noConsensus";
  return shown === "connecting" ? "link.building" : "link.noPath";
}

/** Why people who are met rather than connected to cannot be: nothing carries, or the relay at home is away. */
function whyApart(status: Status, carriers: Carrier[]): { says: "link.carriersOff" | "link.noCarrier" | "link.homeAway"; why: string } | null {
  const alone = status.relays.every((relay) => relay.here || relay.home);
  const on = carriers.filter((row) => row.on);
  if (alone && carriers.length > 0) {
    if (on.length === 0) return { says: "link.carriersOff", why: "" };
    if (!on.some((row) => row.ready)) return { says: "link.noCarrier", why: on.find((row) => row.why !== "")?.why ?? "" };
  }
  const home = status.relays.filter((relay) => relay.home);
  return home.length > 0 && !home.some((relay) => relay.reachable) ? { says: "link.homeAway", why: "" } : null;
}
