import { useState, type ReactNode } from "react";
import type { Attachment, Message } from "../api/types";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Icon } from "../ui/icons";
import { cleanName, fileSize } from "../ui/text";

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const LOAD_BELOW = 20_000_000;

interface Props {
  message: Message;
  onView: (attachment: Attachment) => void;
}

export function Attachments({ message, onView }: Props): ReactNode {
  return (
    <div className="attachments">
      {message.attachments.map((file) => (
        <Shown key={file.number} message={message} file={file} onView={() => onView(file)} />
      ))}
    </div>
  );
}

function Shown({ message, file, onView }: { message: Message; file: Attachment; onView: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [refused, setRefused] = useState(false);
  const url = roost.client.fileUrl(message.id, file.number, file.name);
  const small = file.size < LOAD_BELOW;
  if (file.stored && small && !refused) {
    if (PICTURES.has(file.type)) {
      return (
        <button type="button" className="picture" onClick={onView} aria-label={t("file.view", { name: cleanName(file.name) })}>
          <img src={url} alt="" loading="lazy" decoding="async" onError={() => setRefused(true)} />
        </button>
      );
    }
    if (file.type.startsWith("audio/")) {
      return <audio className="sound" controls preload="metadata" src={url} aria-label={cleanName(file.name)} onError={() => setRefused(true)} />;
    }
  }
  if (file.stored && file.type.startsWith("video/") && !refused) {
    return <video className="film" controls preload="metadata" src={url} aria-label={cleanName(file.name)} onError={() => setRefused(true)} />;
  }
  return <FileRow message={message} file={file} />;
}

function FileRow({ message, file }: { message: Message; file: Attachment }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const language = useLanguage();
  const transfer = useStore(roost.transfers).get(`${message.id}/${file.number}`);
  const size = fileSize(file.size, language);
  return (
    <a className="file" href={roost.client.fileUrl(message.id, file.number, file.name, true)} download={cleanName(file.name, 200)}>
      <span className="file-icon"><Icon name="file" /></span>
      <span className="file-text">
        <bdi className="file-name">{cleanName(file.name)}</bdi>
        <span className="hint">{transfer ? t("file.progress", { done: fileSize(transfer.done, language), total: size }) : size}</span>
        {transfer && <progress value={transfer.done} max={transfer.total} aria-label={cleanName(file.name)} />}
      </span>
      <span className="visually-hidden">{t("file.save")}</span>
      <Icon name="save" size={18} />
    </a>
  );
}
