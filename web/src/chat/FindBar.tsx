import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { IconButton } from "../ui/controls";

interface Props {
  conversation: string;
  words: string;
  onWords: (words: string) => void;
  onGo: (id: string) => void;
  onClose: () => void;
}

/** Search inside one conversation: from the newest hit backwards. */
export function FindBar({ conversation, words, onWords, onGo, onClose }: Props): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [hits, setHits] = useState<string[]>([]);
  const [at, setAt] = useState(0);
  const go = useRef(onGo);
  go.current = onGo;

  useEffect(() => {
    if (words.trim() === "") {
      setHits([]);
      return;
    }
    let stale = false;
    const timer = window.setTimeout(() => {
      void roost.client
        .call("search", { words, limit: 1000, conversation })
        .then((page) => {
          if (stale) return;
          const found = page.messages.map((message) => message.id).reverse();
          setHits(found);
          setAt(0);
          if (found[0]) go.current(found[0]);
        })
        .catch(() => undefined);
    }, 200);
    return () => {
      stale = true;
      window.clearTimeout(timer);
    };
  }, [roost, conversation, words]);

  const step = (by: number): void => {
    if (hits.length === 0) return;
    const next = (at + by + hits.length) % hits.length;
    setAt(next);
    const id = hits[next];
    if (id) onGo(id);
  };

  const escape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    onClose();
  };

  return (
    <form className="find-bar" role="search" onSubmit={(event) => { event.preventDefault(); step(1); }} onKeyDown={escape}>
      <input
        type="search"
        autoFocus
        dir="auto"
        value={words}
        placeholder={t("chat.find")}
        aria-label={t("chat.find")}
        onChange={(event) => onWords(event.target.value)}
      />
      <span className="hint" role="status">{words.trim() === "" ? "" : hits.length === 0 ? t("find.none") : t("find.position", { at: at + 1, n: hits.length })}</span>
      <span className="turned"><IconButton icon="down" label={t("find.older")} onPress={() => step(1)} disabled={hits.length < 2} /></span>
      <IconButton icon="down" label={t("find.newer")} onPress={() => step(-1)} disabled={hits.length < 2} />
      <IconButton icon="close" label={t("common.close")} onPress={onClose} />
    </form>
  );
}
