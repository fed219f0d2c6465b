import { useEffect, useState, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import type { Choices } from "../state/preferences";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Options } from "../ui/controls";

/** Two kinds: the browser's, while a window is open, and the desktop's, shown by the agent when none is. */
export function NotificationSettings(): ReactNode {
  const { preferences, client } = useRoost();
  const t = useT();
  const { notifications, desktop } = useStore(preferences.choices);
  const [refused, setRefused] = useState(false);
  const [possible, setPossible] = useState(false);
  useEffect(() => {
    void client.call("software-info", {}).then((info) => setPossible(info.notifies)).catch(() => undefined);
  }, [client]);
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
      <Options label={t("notify.window")} value={notifications} onChange={(value) => void choose(value)} options={[
        { value: "off", label: t("notify.off") },
        { value: "hidden", label: t("notify.hidden"), hint: t("notify.hiddenHint") },
        { value: "name", label: t("notify.name"), hint: t("notify.nameHint") },
        { value: "full", label: t("notify.full"), hint: t("notify.fullHint") },
      ]} />
      {refused && <p className="bad" role="alert">{t("notify.refused")}</p>}
      <Options label={t("notify.closed")} value={desktop} onChange={(value) => preferences.set("desktop", value)} options={[
        { value: "off", label: t("notify.off") },
        { value: "hidden", label: t("notify.hidden"), hint: t("notify.hiddenHint") },
        { value: "name", label: t("notify.name"), hint: t("notify.nameHint") },
        { value: "full", label: t("notify.full"), hint: t("notify.fullHint") },
      ]} />
      {!possible && <p className="hint">{t("notify.noDesktop")}</p>}
      <p className="hint">{t("notify.title")}</p>
    </>
  );
}
