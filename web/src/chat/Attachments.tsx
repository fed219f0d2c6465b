import { useState, type CSSProperties, type ReactNode } from "react";
import type { Attachment, Message } from "../api/types";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { Icon } from "../ui/icons";
import { cleanName, fileSize } from "../ui/text";
import { VoiceNote } from "./VoiceNote";

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
const MOST_WIDE = 320;
const MOST_HIGH = 340;
const NARROWEST = 110;

interface Props {
  message: Message;
  onView: (attachment: Attachment) => void;
}

export function isPicture(file: Attachment): boolean {
  return PICTURES.has(file.type);
}

/** Pictures first, several as tiles; then everything else, one below the other. */
export function Attachments({ message, onView }: Props): ReactNode {
  const [refused, setRefused] = useState<ReadonlySet<number>>(new Set());
  const refuse = (file: Attachment): void => setRefused((held) => new Set(held).add(file.number));
  const pictures = message.attachments.filter((file) => isPicture(file) && file.stored && !refused.has(file.number));
  const others = message.attachments.filter((file) => !pictures.includes(file));
  return (
    <div className="attachments">
      {pictures.length > 0 && (
        <div className={pictures.length > 1 ? "album" : "single"}>
          {pictures.map((file) => (
            <Picture key={file.number} message={message} file={file} tile={pictures.length > 1} onView={() => onView(file)} onRefused={() => refuse(file)} />
          ))}
        </div>
      )}
      {others.map((file) => (
        <Other key={file.number} message={message} file={file} refused={refused.has(file.number)} onRefused={() => refuse(file)} />
      ))}
    </div>
  );
}

interface PictureProps {
  message: Message;
  file: Attachment;
  tile: boolean;
  onView: () => void;
  onRefused: () => void;
}

/** A small picture that the agent made, in a frame that has its size before it is there. */
function Picture({ message, file, tile, onView, onRefused }: PictureProps): ReactNode {
  const roost = useRoost();
  const t = useT();
  return (
    <button type="button" className="picture" style={tile ? undefined : frame(file)} onClick={onView} aria-label={t("file.view", { name: cleanName(file.name) })}>
      <img src={roost.client.previewUrl(message.id, file.number)} alt="" decoding="async" draggable={false} onError={onRefused} />
    </button>
  );
}

function frame({ width, height }: Attachment): CSSProperties | undefined {
  if (width === 0 || height === 0) return undefined;
  const scale = Math.min(1, MOST_WIDE / width, MOST_HIGH / height);
  const shown = Math.max(NARROWEST, Math.round(width * scale));
  return { inlineSize: shown, aspectRatio: `${shown} / ${Math.max(60, Math.min(MOST_HIGH, Math.round(height * scale)))}` };
}

function Other({ message, file, refused, onRefused }: { message: Message; file: Attachment; refused: boolean; onRefused: () => void }): ReactNode {
  const roost = useRoost();
  const url = roost.client.fileUrl(message.id, file.number, file.name);
  if (file.stored && !refused) {
    if (file.voice_note) return <VoiceNote url={url} file={file} onRefused={onRefused} />;
    if (file.type.startsWith("audio/")) return <Sound url={url} file={file} onRefused={onRefused} />;
    if (file.type.startsWith("video/")) {
      return <video className="film" controls preload="metadata" src={url} aria-label={cleanName(file.name)} onError={onRefused} />;
    }
  }
  return <FileRow message={message} file={file} />;
}

function Sound({ url, file, onRefused }: { url: string; file: Attachment; onRefused: () => void }): ReactNode {
  return (
    <div className="sound-box">
      <bdi className="file-name">{cleanName(file.name)}</bdi>
      <audio className="sound" controls preload="metadata" src={url} aria-label={cleanName(file.name)} onError={onRefused} />
    </div>
  );
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
