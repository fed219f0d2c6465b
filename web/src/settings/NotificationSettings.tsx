import { useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import type { Choices } from "../state/preferences";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Options } from "../ui/controls";

export function NotificationSettings(): ReactNode {
  const { preferences } = useRoost();
  const t = useT();
  const { notifications } = useStore(preferences.choices);
  const [refused, setRefused] = useState(false);
  const choose = async (value: Choices["notifications"]): Promise<void> => {
    if (value !== "off" && (await Notification.requestPermission()) !== "granted") {
      setRefused(true);
      return;
    }
    setRefused(false);
    preferences.set("notifications", value);
  };
  return (
    <>
      <Options label={t("settings.notifications")} value={notifications} onChange={(value) => void choose(value)} options={[
        { value: "off", label: t("notify.off") },
        { value: "name", label: t("notify.name"), hint: t("notify.nameHint") },
        { value: "full", label: t("notify.full"), hint: t("notify.fullHint") },
      ]} />
      {refused && <p className="bad" role="alert">{t("notify.refused")}</p>}
    </>
  );
}
