import { useEffect, useRef } from "react";

export interface Shortcuts {
  search: () => void;
  add: () => void;
  group: () => void;
  settings: () => void;
  panel: () => void;
  lock: () => void;
  profiles: () => void;
  close: () => void;
}

/** Ctrl or ⌘ with a key; Escape closes. Listed in the settings. */
export function useShortcuts(actions: Shortcuts): void {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented) return;
      const held = event.ctrlKey || event.metaKey;
      const name = held ? { k: "search", ",": "settings", i: "panel", l: "lock", o: "profiles" }[event.key.toLowerCase()] : undefined;
      const making = held && event.shiftKey ? { a: "add", g: "group" }[event.key.toLowerCase()] : undefined;
      const wanted = making ?? name;
      if (wanted !== undefined) {
        event.preventDefault();
        latest.current[wanted as keyof Shortcuts]();
      } else if (event.key === "Escape" && document.querySelector("[role=dialog], [role=menu]") === null) {
        latest.current.close();
      }
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}
