import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { useLanguage, useT } from "../i18n/i18n";
import { allEmoji, findEmoji, GROUP_SIGNS, GROUPS, recentEmoji, usedEmoji, type Emoji, type Group } from "./emoji";
import { Icon } from "./icons";

const COMMON =
  "👍 ❤️ 😂 😮 😢 🙏 👏 🎉 😀 😄 😁 😅 🤣 😊 🙂 😉 😍 🥰 😘 😋 😜 🤗 🤔 🤨 😐 😏 🙄 😬 😴 🤒 🥳 😎 🤓 😕 😟 😳 🥺 😭 😱 😡 💪 👋 👌 ✌️ 🤞 👎 🙌 🤝 🔥 ⭐ ✨ ☀️ 🌈 ❄️ ✅ ❌".split(" ");
const WIDTH = 8;

type Shown = { kind: "common" } | { kind: "group"; group: Group };

/** Emoji by words, by group, by keyboard and pointer: the field, then one stop for Tab, arrows inside. */
export function EmojiGrid({ onPick }: { onPick: (emoji: string) => void }): ReactNode {
  const t = useT();
  const language = useLanguage();
  const [all, setAll] = useState<Emoji[]>([]);
  const [looked, setLooked] = useState("");
  const [shown, setShown] = useState<Shown>({ kind: "common" });
  const recent = useMemo(recentEmoji, []);
  useEffect(() => {
    void allEmoji(language).then(setAll);
  }, [language]);
  const found = useMemo(() => {
    if (looked.trim() !== "") return findEmoji(all, looked).map((row) => row.emoji);
    if (shown.kind === "group") return all.filter((row) => row.group === shown.group).map((row) => row.emoji);
    return [...recent, ...COMMON.filter((emoji) => !recent.includes(emoji))];
  }, [all, looked, shown, recent]);
  const pick = (emoji: string): void => {
    usedEmoji(emoji);
    onPick(emoji);
  };
  return (
    <div className="emoji-picker">
      <input
        type="search"
        className="emoji-search"
        autoFocus
        dir="auto"
        value={looked}
        placeholder={t("emoji.search")}
        aria-label={t("emoji.search")}
        onChange={(event) => setLooked(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || found[0] === undefined) return;
          event.preventDefault();
          pick(found[0]);
        }}
      />
      <Buttons emoji={found} onPick={pick} />
      {looked.trim() !== "" && found.length === 0 && <p className="hint emoji-none" role="status">{t("find.none")}</p>}
      <div className="emoji-groups" role="toolbar" aria-label={t("emoji.groups")}>
        <GroupButton label={t("emoji.recent")} on={shown.kind === "common"} onPress={() => { setLooked(""); setShown({ kind: "common" }); }}>
          <Icon name="timer" size={18} />
        </GroupButton>
        {GROUPS.map((group) => (
          <GroupButton key={group} label={t(`emoji.group.${group}`)} on={shown.kind === "group" && shown.group === group} onPress={() => { setLooked(""); setShown({ kind: "group", group }); }}>
            <span aria-hidden="true">{GROUP_SIGNS[group]}</span>
          </GroupButton>
        ))}
      </div>
    </div>
  );
}

function GroupButton({ label, on, onPress, children }: { label: string; on: boolean; onPress: () => void; children: ReactNode }): ReactNode {
  return (
    <button type="button" className="emoji-group" aria-label={label} title={label} aria-pressed={on} onClick={onPress}>{children}</button>
  );
}

function Buttons({ emoji, onPick }: { emoji: string[]; onPick: (emoji: string) => void }): ReactNode {
  const t = useT();
  const grid = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: WIDTH, ArrowUp: -WIDTH };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const buttons = [...(grid.current?.querySelectorAll("button") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const mirrored = getComputedStyle(event.currentTarget).direction === "rtl" && Math.abs(step) === 1 ? -step : step;
    buttons[Math.max(0, Math.min(buttons.length - 1, at + mirrored))]?.focus();
  };
  return (
    <div className="emoji-grid" ref={grid} onKeyDown={move} role="group" aria-label={t("composer.emoji")}>
      {emoji.map((one, index) => (
        <button type="button" key={one} tabIndex={index === 0 ? 0 : -1} onClick={() => onPick(one)}>
          {one}
        </button>
      ))}
    </div>
  );
}
