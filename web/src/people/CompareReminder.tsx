import { useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Button, Dialog } from "../ui/controls";
import { cleanName } from "../ui/text";
import { Verify } from "./Verify";

/** After two people met where anybody can take any name: compare safety numbers, now or later. */
export function CompareReminder(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const met = useStore(roost.compare);
  const verified = useStore(roost.conversations).get(met?.id ?? "")?.verified ?? false;
  const [now, setNow] = useState(false);
  if (met === null || (verified && !now)) return null;
  const close = (): void => {
    setNow(false);
    roost.compare.set(null);
  };
  if (now) return <Verify conversation={{ ...met, verified }} onClose={close} onMarked={() => roost.refreshConversations()} />;
  return (
    <Dialog title={t("compare.title", { name: cleanName(met.name) })} onClose={close}>
      <p>{t("compare.how")}</p>
      <div className="dialog-actions">
        <Button onPress={close}>{t("compare.later")}</Button>
        <Button kind="primary" onPress={() => setNow(true)}>{t("compare.now")}</Button>
      </div>
    </Dialog>
  );
}
