import { useRef, type ReactNode } from "react";
import { useLanguage, useT } from "../i18n/i18n";
import type { Pending, PendingFile } from "../state/outgoing";
import { useRoost } from "../state/roost";
import { notify } from "../state/toasts";
import { Button, IconButton } from "../ui/controls";
import { Markup } from "../ui/Markup";
import { cleanName, duration, fileSize } from "../ui/text";
import { clock } from "../ui/times";
import { Marks } from "./Marks";
import { Wave } from "./VoiceNote";

/** A message that the agent has not taken yet; its files move from the browser to the agent. */
export function PendingBubble({ pending }: { pending: Pending }): ReactNode {
  const language = useLanguage();
  return (
    <div className="message mine first pending">
      <div className="bubble-line">
        <div className="bubble">
          {pending.files.length > 0 && <Files pending={pending} />}
          <div className="said">
            {pending.text !== "" && <div className="text"><Markup text={pending.text} spans={pending.spans} /></div>}
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

function Files({ pending }: { pending: Pending }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const picker = useRef<HTMLInputElement>(null);
  const chosen = (files: FileList | null): void => {
    if (!roost.outgoing.resume(pending.key, [...(files ?? [])])) notify(t("upload.others"), "error");
  };
  return (
    <div className="sending">
      <div className="grow">
        {pending.files.map((file) => <FileRow key={file.id} file={file} pending={pending} />)}
        {pending.interrupted && (
          <div className="sending-stopped">
            <p className="hint">{t("upload.interrupted")}</p>
            <input ref={picker} type="file" hidden multiple data-testid="choose-again" onChange={(event) => chosen(event.target.files)} />
            <Button onPress={() => picker.current?.click()}>{t("upload.again")}</Button>
          </div>
        )}
      </div>
      <IconButton icon="close" label={t("upload.cancel")} onPress={() => roost.outgoing.cancel(pending.key)} />
    </div>
  );
}

function FileRow({ file, pending }: { file: PendingFile; pending: Pending }): ReactNode {
  const t = useT();
  const language = useLanguage();
  const size = fileSize(file.size, language);
  return (
    <div className="file">
      <span className="file-text">
        {pending.voice ? <Wave waveform={pending.voice.waveform} share={0} /> : <bdi className="file-name">{cleanName(file.name)}</bdi>}
        <span className="hint">{pending.voice ? duration(pending.voice.duration_ms) : t("file.progress", { done: fileSize(file.size * file.share, language), total: size })}</span>
        <progress value={file.share} max={1} aria-label={cleanName(file.name)} />
      </span>
    </div>
  );
}
