import { useState, type ReactNode } from "react";
import type { JoinRequest } from "../api/groups";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/controls";
import { cleanName, cleanText } from "../ui/text";
import { useChange } from "./changing";

const LONGEST_GREETING = 400;
const WAIT_S = 3;

/** People who followed a group's link and wait to be let in: above the list, or those of one group. */
export function JoinRequests({ group }: { group?: string }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const rows = useStore(roost.groups.requests).filter((row) => group === undefined || row.group === group);
  if (rows.length === 0) return null;
  return (
    <ul className="requests" aria-label={t("join.requests")}>
      {rows.map((row) => <Asking key={row.id} row={row} />)}
    </ul>
  );
}

function Asking({ row }: { row: JoinRequest }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const [busy, setBusy] = useState(false);
  const decide = async (what: "group-accept" | "group-decline"): Promise<void> => {
    setBusy(true);
    await change(() => (what === "group-accept" ? roost.client.call(what, { id: row.id, wait_timeout_s: WAIT_S }) : roost.client.call(what, { id: row.id })));
    setBusy(false);
  };
  return (
    <li className="request">
      <Avatar id={row.account} name={row.name} />
      <div className="request-text">
        <span className="request-name">{t("join.asks", { name: cleanName(row.name), title: cleanName(row.title) })}</span>
        {row.greeting !== "" && <p dir="auto">{cleanText(row.greeting).slice(0, LONGEST_GREETING)}</p>}
        <div className="request-actions">
          <Button kind="primary" disabled={busy} onPress={() => void decide("group-accept")}>{t("join.accept")}</Button>
          <Button disabled={busy} onPress={() => void decide("group-decline")}>{t("requests.decline")}</Button>
        </div>
      </div>
    </li>
  );
}
