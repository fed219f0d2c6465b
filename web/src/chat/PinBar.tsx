import { useEffect, useState, type ReactNode } from "react";
import type { Message } from "../api/types";
import { mayPin } from "../groups/rights";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { IconButton } from "../ui/controls";
import { Icon } from "../ui/icons";
import { cleanName } from "../ui/text";
import { summary } from "./Bubble";

const NONE: Message[] = [];

/** What is pinned here, one at a time: following it goes to the message, and shows the next one. */
export function PinBar({ conversation, onJump }: { conversation: string; onJump: (id: string) => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const pins = useStore(roost.pins).get(conversation) ?? NONE;
  const row = useStore(roost.conversations).get(conversation);
  const info = useStore(roost.groups.details).get(conversation)?.info;
  const [at, setAt] = useState(0);
  useEffect(() => {
    setAt(0);
    void roost.refreshPins(conversation);
  }, [roost, conversation]);
  const shown = pins[at % Math.max(1, pins.length)];
  if (shown === undefined) return null;
  const unpin = (): void => void roost.attemptTo(() => roost.client.call("pin", { id: shown.id, pinned: false }));
  return (
    <div className="pin-bar" role="region" aria-label={t("pin.title")}>
      <button type="button" className="pin-shown" onClick={() => { onJump(shown.id); setAt((at + 1) % pins.length); }}>
        <Icon name="pin" size={18} />
        <span className="pin-text">
          <span className="pin-head">
            {t("pin.title")}
            {pins.length > 1 && ` ${(at % pins.length) + 1}/${pins.length}`}
          </span>
          <span className="pin-line" dir="auto"><bdi>{shown.from === "me" ? "" : `${cleanName(shown.from_name || roost.nameOf(shown.from))}: `}</bdi>{summary(shown, t("message.deleted"))}</span>
        </span>
      </button>
      {mayPin(row, info) && <IconButton icon="close" label={t("message.unpin")} onPress={unpin} />}
    </div>
  );
}
