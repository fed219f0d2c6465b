import { useState, type ReactNode } from "react";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Button } from "../ui/controls";

/** A conversation on an onion network of others: its stations are called only once the person says so. */
export function ForeignNetwork({ conversation }: { conversation: Conversation }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [busy, setBusy] = useState(false);
  if (!conversation.foreign) return null;
  const enter = async (): Promise<void> => {
    setBusy(true);
    await roost.attemptTo(() => roost.client.call("network-enter", { conversation: conversation.id }));
    roost.refreshConversations();
    setBusy(false);
  };
  return (
    <div className="notice" role="status">
      <p>{t("foreign.says")}</p>
      <Button disabled={busy} onPress={() => void enter()}>{t("foreign.enter")}</Button>
    </div>
  );
}
