import type { ReactNode } from "react";
import { useLanguage, useT } from "../i18n/i18n";
import type { Pending } from "../state/outgoing";
import { IconButton } from "../ui/controls";
import { Markup } from "../ui/Markup";
import { cleanName, fileSize } from "../ui/text";
import { clock } from "../ui/times";
import { Marks } from "./Marks";

/** A message that the agent has not taken yet; its files move from the browser to the agent. */
export function PendingBubble({ pending }: { pending: Pending }): ReactNode {
  const t = useT();
  const language = useLanguage();
  return (
    <div className="message mine first pending">
      <div className="bubble-line">
        <div className="bubble">
          {pending.files.map((file, index) => (
            <div className="file" key={index}>
              <span className="file-text">
                <bdi className="file-name">{cleanName(file.name)}</bdi>
                <span className="hint">{fileSize(file.size, language)}</span>
                <progress value={file.share} max={1} aria-label={cleanName(file.name)} />
              </span>
            </div>
          ))}
          {pending.cancel && <IconButton icon="close" label={t("common.cancel")} onPress={pending.cancel} />}
          <div className="said">
            {pending.text !== "" && <div className="text"><Markup text={pending.text} /></div>}
            <span className="foot">
              <time>{clock(pending.sentAt, language)}</time>
              <Marks state="queued" />
            </span>
          </div>
        </div>
      </div>
    </div>
  );
}
