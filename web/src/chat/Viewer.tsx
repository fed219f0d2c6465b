import { useState, type ReactNode } from "react";
import { Dialog, Modal, ModalOverlay } from "react-aria-components";
import type { Attachment, Message } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { IconButton } from "../ui/controls";
import { cleanName } from "../ui/text";

/** One picture over everything. */
export function Viewer({ message, file, onClose }: { message: Message; file: Attachment; onClose: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [zoomed, setZoomed] = useState(false);
  const name = cleanName(file.name);
  const save = (): void => {
    const link = document.createElement("a");
    link.href = roost.client.fileUrl(message.id, file.number, file.name, true);
    link.download = cleanName(file.name, 200);
    link.click();
  };
  return (
    <ModalOverlay className="viewer" isOpen isDismissable onOpenChange={(open) => !open && onClose()}>
      <Modal className="viewer-modal">
        <Dialog aria-label={name} className="viewer-dialog">
          <header>
            <bdi className="grow">{name}</bdi>
            <IconButton icon="search" label={t("viewer.zoom")} active={zoomed} onPress={() => setZoomed(!zoomed)} />
            <IconButton icon="save" label={t("file.save")} onPress={save} />
            <IconButton icon="close" label={t("common.close")} onPress={onClose} />
          </header>
          <div className={zoomed ? "viewer-stage zoomed" : "viewer-stage"} tabIndex={0}>
            <img src={roost.client.fileUrl(message.id, file.number, file.name)} alt={name} />
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
