import type { ReactNode } from "react";
import { useT } from "../i18n/i18n";
import { Button, Dialog } from "./controls";

interface Props {
  title: string;
  text: string;
  danger?: boolean;
  onClose: () => void;
  onConfirm: () => void;
}

/** A question before something that cannot be taken back, or that changes what others can do. */
export function Confirm({ title, text, danger = false, onClose, onConfirm }: Props): ReactNode {
  const t = useT();
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{text}</p>
      <div className="dialog-actions">
        <Button onPress={onClose}>{t("common.cancel")}</Button>
        <Button kind={danger ? "danger" : "primary"} onPress={onConfirm}>{title}</Button>
      </div>
    </Dialog>
  );
}
