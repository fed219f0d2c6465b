import type { ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Options } from "../ui/controls";

export function AppearanceSettings(): ReactNode {
  const { preferences } = useRoost();
  const t = useT();
  const choices = useStore(preferences.choices);
  return (
    <>
      <Options row label={t("appearance.theme")} value={choices.theme} onChange={(value) => preferences.set("theme", value)} options={[
        { value: "system", label: t("appearance.system") },
        { value: "light", label: t("appearance.light") },
        { value: "dark", label: t("appearance.dark") },
      ]} />
      <Options row label={t("appearance.size")} value={choices.textSize} onChange={(value) => preferences.set("textSize", value)} options={[
        { value: "small", label: t("appearance.small") },
        { value: "normal", label: t("appearance.normal") },
        { value: "large", label: t("appearance.large") },
      ]} />
      <Options row label={t("appearance.language")} value={choices.language} onChange={(value) => preferences.set("language", value)} options={[
        { value: "system", label: t("appearance.system") },
        { value: "en", label: "English" },
        { value: "de", label: "Deutsch" },
      ]} />
      <Options row label={t("appearance.enter")} value={choices.enterSends} onChange={(value) => preferences.set("enterSends", value)} options={[
        { value: "yes", label: t("appearance.enterSends") },
        { value: "no", label: t("appearance.enterLine") },
      ]} />
    </>
  );
}
