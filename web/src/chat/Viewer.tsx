import { useState, type KeyboardEvent, type ReactNode } from "react";
import { Dialog, Modal, ModalOverlay } from "react-aria-components";
import type { Attachment, Message } from "../api/types";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { useStore } from "../state/store";
import { IconButton } from "../ui/controls";
import { cleanName } from "../ui/text";
import { full } from "../ui/times";
import { isPicture } from "./Attachments";

interface Seen {
  message: Message;
  file: Attachment;
}

/** One picture over everything, and the way to those before and after it. */
export function Viewer({ message, file, onClose }: Seen & { onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const language = useLanguage();
  const [zoomed, setZoomed] = useState(false);
  const [seen, setSeen] = useState<Seen>({ message, file });
  const { messages } = useStore(roost.thread(message.conversation).state);
  const all = messages.flatMap((one) => (one.deleted ? [] : one.attachments.filter((each) => isPicture(each) && each.stored).map((each) => ({ message: one, file: each }))));
  const at = all.findIndex((one) => one.message.id === seen.message.id && one.file.number === seen.file.number);
  const name = cleanName(seen.file.name);
  const step = (by: number): void => {
    const next = at < 0 ? undefined : all[at + by];
    if (next === undefined) return;
    setZoomed(false);
    setSeen(next);
  };
  const save = (): void => {
    const link = document.createElement("a");
    link.href = roost.client.fileUrl(seen.message.id, seen.file.number, seen.file.name, true);
    link.download = cleanName(seen.file.name, 200);
    link.click();
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const mirrored = document.documentElement.dir === "rtl" ? -1 : 1;
    step((event.key === "ArrowRight" ? 1 : -1) * mirrored);
  };
  return (
    <ModalOverlay className="viewer" isOpen isDismissable onOpenChange={(open) => !open && onClose()}>
      <Modal className="viewer-modal">
        <Dialog aria-label={name} className="viewer-dialog">
          <header>
            <span className="grow viewer-title">
              <bdi>{name}</bdi>
              <span className="hint">{cleanName(roost.nameOf(seen.message.from))}, {full(seen.message.sent_at, language)}</span>
            </span>
            <IconButton icon="search" label={t("viewer.zoom")} active={zoomed} onPress={() => setZoomed(!zoomed)} />
            <IconButton icon="save" label={t("file.save")} onPress={save} />
            <IconButton icon="close" label={t("common.close")} onPress={onClose} />
          </header>
          <div className={zoomed ? "viewer-stage zoomed" : "viewer-stage"} tabIndex={0} onKeyDown={keys} aria-label={name} role="group">
            <img key={`${seen.message.id}/${seen.file.number}`} src={roost.client.fileUrl(seen.message.id, seen.file.number, seen.file.name)} alt={name} />
          </div>
          {at > 0 && <span className="viewer-step before"><IconButton icon="back" label={t("viewer.before")} onPress={() => step(-1)} /></span>}
          {at >= 0 && at < all.length - 1 && <span className="viewer-step after"><IconButton icon="next" label={t("viewer.after")} onPress={() => step(1)} /></span>}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
