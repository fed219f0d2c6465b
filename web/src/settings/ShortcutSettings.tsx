import type { ReactNode } from "react";
import type { Key } from "../i18n/i18n";
import { useT } from "../i18n/i18n";

const ROWS: [string, Key][] = [
  ["Ctrl K", "list.search"],
  ["Ctrl ⇧ A", "add.title"],
  ["Ctrl ⇧ G", "group.new"],
  ["Ctrl I", "route.title"],
  ["Ctrl ,", "settings.title"],
  ["Ctrl L", "lock.now"],
  ["Ctrl O", "profiles.title"],
  ["↑", "shortcuts.editLast"],
  ["Esc", "shortcuts.close"],
];

export function ShortcutSettings(): ReactNode {
  const t = useT();
  return (
    <dl className="shortcuts">
      {ROWS.map(([keys, says]) => (
        <div key={keys}><dt><kbd dir="ltr">{keys}</kbd></dt><dd>{t(says)}</dd></div>
      ))}
      <div><dt>**b** *i* `c` ~~s~~ ||x||</dt><dd>{t("shortcuts.markup")}</dd></div>
    </dl>
  );
}
