import type { ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Avatar } from "../ui/Avatar";
import { Button } from "../ui/controls";
import { cleanName, cleanText } from "../ui/text";

/** People who ask to become contacts, above the list; `nearby`: those alone who saw one on the local network. */
export function Requests({ onAccepted, nearby = false }: { onAccepted: (id: string) => void; nearby?: boolean }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const rows = useStore(roost.requests).filter((row) => row.nearby || !nearby);
  const accept = (id: string): void =>
    void roost.attemptTo(async () => {
      const { contact, name, compare } = await roost.client.call("accept", { id });
      if (compare) roost.compare.set({ id: contact, name });
      await roost.refreshAll();
      onAccepted(contact);
    });
  const decline = (id: string): void =>
    void roost.attemptTo(async () => {
      await roost.client.call("decline", { id });
      await roost.refreshRequests();
    });
  if (rows.length === 0) return null;
  return (
    <ul className="requests" aria-label={t("requests.title")}>
      {rows.map((row) => (
        <li key={row.id} className="request">
          <Avatar id={row.contact} name={row.name} />
          <div className="request-text">
            <span className="request-name">{t("requests.asks", { name: cleanName(row.name) })}</span>
            {row.greeting !== "" && <p dir="auto">{cleanText(row.greeting).slice(0, 400)}</p>}
            {row.nearby && <p className="hint">{t("nearby.asked")}</p>}
            {row.warning !== "" && !row.nearby && <p className="bad">{t("requests.warning")}</p>}
            <div className="request-actions">
              <Button kind="primary" onPress={() => accept(row.id)}>{t("requests.accept")}</Button>
              <Button onPress={() => decline(row.id)}>{t("requests.decline")}</Button>
            </div>
          </div>
        </li>
      ))}
    </ul>
  );
}
