import { useEffect, useState, type ReactNode } from "react";
import type { Conversation } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { notify } from "../state/toasts";
import { Button, Dialog } from "../ui/controls";
import { Qr } from "../ui/Qr";
import { Scanner } from "../ui/Scanner";
import { cleanName } from "../ui/text";

type Result = "none" | "other" | "wrong";

/** Safety numbers: compared by eye, or by scanning the code on the other's screen. */
export function Verify({ conversation, onClose, onMarked }: { conversation: Pick<Conversation, "id" | "name" | "verified">; onClose: () => void; onMarked?: () => void }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [number, setNumber] = useState("");
  const [scanning, setScanning] = useState(false);
  const [result, setResult] = useState<Result>("none");
  const name = cleanName(conversation.name);
  useEffect(() => {
    void roost.attemptTo(async () => setNumber((await roost.client.call("verify", { conversation: conversation.id })).safety_number));
  }, [roost, conversation.id]);
  const mark = (confirm: boolean): void => {
    onClose();
    void roost.attemptTo(async () => {
      await roost.client.call("verify", { conversation: conversation.id, confirm });
      if (confirm) notify(t("verify.done", { name }));
      onMarked?.();
    });
  };
  const scanned = (text: string): void => {
    if (text === number) mark(true);
    else setResult(/^\d{60}$/u.test(text) ? "wrong" : "other");
  };
  if (scanning) {
    return (
      <Dialog title={t("verify.scan")} onClose={onClose}>
        <Scanner onText={scanned} hint={t("verify.scanHow", { name })} />
        {result !== "none" && <p className="bad" role="alert">{t(result === "wrong" ? "verify.wrong" : "verify.other", { name })}</p>}
        <div className="dialog-actions"><Button onPress={() => { setScanning(false); setResult("none"); }}>{t("common.back")}</Button></div>
      </Dialog>
    );
  }
  const groups = number.match(/.{5}/gu) ?? [];
  return (
    <Dialog title={t("contact.verify")} onClose={onClose}>
      <p>{t("verify.how", { name })}</p>
      {number !== "" && <Qr text={number} label={t("verify.qr")} />}
      <p className="safety" dir="ltr" role="group" aria-label={t("verify.number")}>{groups.map((group, index) => <span key={index}>{group}</span>)}</p>
      <div className="dialog-actions">
        {conversation.verified ? (
          <Button kind="danger" onPress={() => mark(false)}>{t("verify.unmark")}</Button>
        ) : (
          <>
            <Button onPress={() => setScanning(true)}>{t("verify.scan")}</Button>
            <Button kind="primary" disabled={number === ""} onPress={() => mark(true)}>{t("verify.mark")}</Button>
          </>
        )}
      </div>
    </Dialog>
  );
}
