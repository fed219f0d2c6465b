import { useRef, type KeyboardEvent, type ReactNode } from "react";

const ROWS = [
  "👍 ❤️ 😂 😮 😢 🙏 👏 🎉",
  "😀 😄 😁 😅 🤣 😊 🙂 😉",
  "😍 🥰 😘 😋 😜 🤗 🤔 🤨",
  "😐 😏 🙄 😬 😴 🤒 🥳 😎",
  "🤓 😕 😟 😳 🥺 😭 😱 😡",
  "💪 👋 👌 ✌️ 🤞 👎 🙌 🤝",
  "❤️‍🔥 🧡 💛 💚 💙 💜 🖤 💔",
  "🔥 ⭐ ✨ ☀️ 🌈 🌧️ ❄️ ⚡",
  "🐦 🐱 🐶 🦊 🌱 🌻 🍀 🍎",
  "🍕 🍰 ☕ 🍵 🍺 🍷 🎂 🍫",
  "⚽ 🚲 🚗 🚆 ✈️ 🏠 🏖️ ⛰️",
  "🎵 📷 📚 💡 ⏰ 📌 ✅ ❌",
].map((row) => row.split(" "));
const WIDTH = 8;

/** Emoji by keyboard and pointer: one stop for Tab, arrows inside. */
export function EmojiGrid({ onPick }: { onPick: (emoji: string) => void }): ReactNode {
  const grid = useRef<HTMLDivElement>(null);
  const all = ROWS.flat();
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
    <div className="emoji-grid" ref={grid} onKeyDown={move} role="group">
      {all.map((emoji, index) => (
        <button type="button" key={emoji + index} tabIndex={index === 0 ? 0 : -1} onClick={() => onPick(emoji)}>
          {emoji}
        </button>
      ))}
    </div>
  );
}
