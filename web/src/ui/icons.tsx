import type { ReactNode } from "react";

// Drawn here: the app loads nothing from anywhere. 24 × 24, one stroke.
const PATHS = {
  send: "M4 12 20 4l-5 16-3.5-6.5L4 12Z",
  attach: "M8 12.5 14.5 6a3 3 0 0 1 4.2 4.2l-8.2 8.3a5 5 0 0 1-7-7.1L11 4",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8.5 14.5a4.5 4.5 0 0 0 7 0M9 9.5v.5M15 9.5v.5",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM20 20l-4-4",
  more: "M12 6.01V6M12 12.01V12M12 18.01V18",
  back: "M15 5 8 12l7 7",
  next: "M9 5l7 7-7 7",
  play: "M8 5.500v13l10.500-6.500Z",
  pause: "M8 6v12M16 6v12",
  bold: "M7 5h6a3.500 3.500 0 0 1 0 7H7ZM7 12h7a3.500 3.500 0 0 1 0 7H7Z",
  italic: "M10 5h7M7 19h7M14 5l-4 14",
  strike: "M5 12h14M16.500 8A4 3 0 0 0 12 5.500c-2.500 0-4 1.200-4 2.800 0 1.500 1 2.400 3 3M8 16a4 3 0 0 0 4 2.500c2.500 0 4-1.200 4-2.800 0-.700-.2-1.300-.6-1.700",
  code: "M8.500 7 3.500 12l5 5M15.500 7l5 5-5 5",
  blockquote: "M5 5v14M9 8h10M9 12h10M9 16h6",
  hidden: "M4 4l16 16M9.900 5.800A9 9 0 0 1 21 12a13 13 0 0 1-2.600 3.400M6.200 8A13 13 0 0 0 3 12a9.500 9.500 0 0 0 12 5",
  format: "M4 18 9 6l5 12M5.700 14h6.600M16 18l2.500-6 2.500 6M16.800 16h3.400",
  close: "M6 6l12 12M18 6 6 18",
  plus: "M12 5v14M5 12h14",
  gear: "M12 15.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM19 12l2 1.2-1.8 3.2-2.2-.9a7 7 0 0 1-2 1.2L14.600 19h-3.700l-.4-2.300a7 7 0 0 1-2-1.200l-2.200.9L4.500 13.200 6.400 12 4.500 10.800l1.800-3.200 2.200.9a7 7 0 0 1 2-1.200L10.900 5h3.700l.4 2.300a7 7 0 0 1 2 1.200l2.200-.9L21 10.800 19 12Z",
  lock: "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  route: "M6 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM18 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM8 17h6.500a3 3 0 0 0 0-6H9.500a3 3 0 0 1 0-6H16",
  pin: "M9 4h6l-1 6 3 3v2H7v-2l3-3-1-6ZM12 15v6",
  mute: "M6 9v6h3l5 4V5L9 9H6ZM17.500 10l4 4M21.500 10l-4 4",
  archive: "M4 5h16v4H4zM5.500 9v10h13V9M10 13h4",
  reply: "M9 7 4 12l5 5M4 12h9a7 7 0 0 1 7 7",
  edit: "M5 19l1-4L16 5l3 3L9 18l-4 1Z",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13M10.500 11v5M13.500 11v5",
  copy: "M9 9h10v11H9zM5 15V4h10",
  forward: "M15 7l5 5-5 5M20 12h-9a7 7 0 0 0-7 7",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5.500M12 7.500v.1",
  file: "M6 3h8l5 5v13H6zM14 3v5h5",
  save: "M12 4v11M7.500 11l4.500 4.500L16.500 11M5 20h14",
  shield: "M12 3l7 3v5.500c0 4.500-3 7.800-7 9.500-4-1.700-7-5-7-9.500V6l7-3ZM8.500 12l2.500 2.500 4.500-5",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.500 20a7.500 7.500 0 0 1 15 0",
  block: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM5.700 5.700l12.600 12.600",
  timer: "M12 21a8 8 0 1 0 0-16 8 8 0 0 0 0 16ZM12 9v4l2.500 2M9.500 2.500h5",
  down: "M6 9l6 6 6-6",
  check: "M5 12.500 10 17.500 19.500 7",
  mic: "M12 15a3.500 3.500 0 0 0 3.500-3.500v-5a3.500 3.500 0 0 0-7 0v5A3.500 3.500 0 0 0 12 15ZM5.500 11.500a6.500 6.500 0 0 0 13 0M12 18v3",
  stop: "M7 7h10v10H7z",
  relay: "M5 5h14v5H5zM5 14h14v5H5zM8 7.500v.1M8 16.500v.1",
  warning: "M12 4 2.500 20h19L12 4ZM12 10v4.500M12 17v.1",
  calendar: "M4 6h16v14H4zM4 10.500h16M8.500 3.500v4M15.500 3.500v4",
  export: "M12 15V4M7.500 8.500 12 4l4.500 4.500M5 14v6h14v-6",
  people: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7ZM2.500 19a6.500 6.500 0 0 1 13 0M16 4.500a3.500 3.500 0 0 1 0 6.500M18 13.500a6.500 6.500 0 0 1 3.500 5.500",
  channel: "M4 10v4h3l8 5V5l-8 5H4ZM18.500 9a4 4 0 0 1 0 6M7.500 14l1 5h2.500",
  poll: "M5 20v-6M12 20V4M19 20v-9",
  select: "M4 12l4 4 8-9M14 16l.5.500L21 9",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): ReactNode {
  const mirrored = name === "back" || name === "reply" || name === "forward" || name === "send" || name === "next";
  return (
    <svg className={mirrored ? "icon mirrored" : "icon"} width={size} height={size} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth={name === "more" ? 3 : 1.7} strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
