import { useState, type ReactNode } from "react";
import type { GroupInvites, GroupIntroduction } from "../api/groups";
import type { Message } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/controls";
import { cleanName } from "../ui/text";
import { useChange } from "./changing";

const JOIN_S = 3;

/** Groups into which contacts have invited one, above the list. */
export function Introduced(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const rows = useStore(roost.groups.introductions);
  if (rows.length === 0) return null;
  return (
    <ul className="requests" aria-label={t("invited.title")}>
      {rows.map((row) => <Row key={row.id} row={row} />)}
    </ul>
  );
}

function Row({ row }: { row: GroupIntroduction }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  const join = useJoin();
  const [busy, setBusy] = useState(false);
  const answer = async (work: () => Promise<unknown>): Promise<void> => {
    setBusy(true);
    await work();
    setBusy(false);
  };
  const decline = (): Promise<boolean> =>
    change(async () => {
      await roost.client.call("group-decline", { id: row.id });
      return []; // there is no group to be read again
    });
  return (
    <li className="request">
      <Avatar id={row.group} name={row.title} />
      <div className="request-text">
        <span className="request-name">{t("invited.says", { by: cleanName(row.by_name), title: cleanName(row.title) })}</span>
        <div className="request-actions">
          <Button kind="primary" disabled={busy} onPress={() => void answer(() => join(row.id))}>{t("join.group")}</Button>
          <Button disabled={busy} onPress={() => void answer(decline)}>{t("introductions.decline")}</Button>
        </div>
      </div>
    </li>
  );
}

function useJoin(): (message: string) => Promise<boolean> {
  const roost = useRoost();
  const t = useT();
  const change = useChange();
  return (message) =>
    change(async () => {
      const done = await roost.client.call("group-join", { link: message, wait_timeout_s: JOIN_S });
      if (done.state === "waiting") notify(t("invited.asked", { title: cleanName(done.title) }));
      return [];
    });
}

const OUTSIDE: readonly string[] = ["", "left", "removed"];

/** A message that invites somebody into a group. */
export function InvitedBox({ message, invites }: { message: Message; invites: GroupInvites }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const join = useJoin();
  const waits = useStore(roost.groups.introductions).some((row) => row.id === message.id);
  const state = useStore(roost.conversations).get(invites.group)?.group_state ?? "";
  const title = cleanName(invites.title);
  if (message.from === "me") return <p className="text">{t("invited.byMe", { title })}</p>;
  return (
    <div className="text">
      <p>{t("invited.you", { title })}</p>
      {OUTSIDE.includes(state) && <div className="request-actions"><Button kind={waits ? "primary" : "plain"} onPress={() => void join(message.id)}>{t("join.group")}</Button></div>}
    </div>
  );
}
