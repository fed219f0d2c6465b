import type { ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { cleanName } from "../ui/text";

/** Says what is wrong with the connection, and nothing when all is well; and first of all whether this device still counts. */
export function ConnectionBar(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const link = useStore(roost.link);
  const status = useStore(roost.status);
  const conversations = useStore(roost.conversations);
  const standing = status?.device_state ?? "linked";
  if (standing !== "linked") return <div className="connection gone" role="status">{t(`device.${standing}`)}</div>;
  const down = status?.relays.find((relay) => !relay.reachable && (link !== "online" || relay.reason !== ""));
  if (link === "online" && !down) return <div role="status" className="visually-hidden">{t("link.online")}</div>;
  const waiting = [...conversations.values()].reduce((sum, row) => sum + row.waiting, 0);
  const shown = down && link === "online" ? "offline" : link; // one of several is away: what goes through it waits
  const host = down?.link_host ?? "";
  return (
    <div className={`connection ${shown}`} role="status">
      <span>{t(`link.${shown}`, { host })}</span>
      {shown === "offline" && down && down.reason !== "" && <span className="hint">{cleanName(down.reason, 160)}</span>}
      {link !== "gone" && waiting > 0 && <span className="hint">{t("link.waiting.other", { n: waiting })}</span>}
    </div>
  );
}
