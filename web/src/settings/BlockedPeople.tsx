import { useState, type ReactNode } from "react";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/controls";
import { Confirm } from "../ui/Confirm";
import { cleanName } from "../ui/text";

/** Who cannot reach this person, and the way back. */
export function BlockedPeople(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const rows = [...useStore(roost.conversations).values()].filter((row) => row.state === "blocked");
  const [asked, setAsked] = useState<Conversation | null>(null);
  const unblock = (id: string): void => {
    setAsked(null);
    void roost.attemptTo(async () => {
      await roost.client.call("unblock", { contact: id });
      roost.refreshConversations();
    });
  };
  return (
    <section>
      <h3>{t("privacy.blocked")}</h3>
      {rows.length === 0 ? (
        <p className="hint">{t("privacy.nobody")}</p>
      ) : (
        <ul className="plain-list" aria-label={t("privacy.blocked")}>
          {rows.map((row) => (
            <li key={row.id}>
              <Avatar id={row.id} name={row.name} picture={row.picture} client={roost.client} size="small" />
              <bdi className="grow">{cleanName(row.name)}</bdi>
              <Button onPress={() => setAsked(row)}>{t("contact.unblock")}</Button>
            </li>
          ))}
        </ul>
      )}
      {asked && (
        <Confirm title={t("contact.unblock")} text={t("confirm.unblock", { name: cleanName(asked.name) })} onClose={() => setAsked(null)} onConfirm={() => unblock(asked.id)} />
      )}
    </section>
  );
}
