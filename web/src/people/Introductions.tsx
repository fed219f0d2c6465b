import { useState, type ReactNode } from "react";
import type { IntroductionView } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { notify } from "../state/toasts";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/controls";
import { cleanName } from "../ui/text";

/** People whom a contact would have one meet, above the list. */
export function Introductions({ onAsked }: { onAsked: (id: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const rows = useStore(roost.introductions);
  if (rows.length === 0) return null;
  return (
    <ul className="requests" aria-label={t("introductions.title")}>
      {rows.map((row) => <Row key={row.id} row={row} onAsked={onAsked} />)}
    </ul>
  );
}

function Row({ row, onAsked }: { row: IntroductionView; onAsked: (id: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [busy, setBusy] = useState(false);
  const name = cleanName(row.name);
  const follow = async (): Promise<void> => {
    setBusy(true);
    await roost.attemptTo(async () => {
      const added = await roost.client.call("follow-introduction", { id: row.id });
      notify(added.waiting ? t("add.waiting") : t("add.asked", { name }));
      await roost.refreshAll();
      if (!added.waiting) onAsked(added.contact);
    });
    setBusy(false);
  };
  const decline = (): void =>
    void roost.attemptTo(async () => {
      await roost.client.call("decline-introduction", { id: row.id });
      await roost.refreshIntroductions();
    });
  return (
    <li className="request">
      <Avatar id={row.account} name={row.name} />
      <div className="request-text">
        <span className="request-name">{t("introductions.says", { by: cleanName(row.by_name), name })}</span>
        <p className="hint">{t("introductions.how", { name })}</p>
        <div className="request-actions">
          <Button kind="primary" disabled={busy} onPress={() => void follow()}>{t("introductions.follow")}</Button>
          <Button disabled={busy} onPress={decline}>{t("introductions.decline")}</Button>
        </div>
      </div>
    </li>
  );
}
