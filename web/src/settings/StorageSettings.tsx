import { useEffect, useState, type ReactNode } from "react";
import type { HostState, StorageView } from "../api/types";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { notify } from "../state/toasts";
import { Confirm } from "../ui/Confirm";
import { Button, Menu } from "../ui/controls";
import { cleanName, fileSize } from "../ui/text";

type Row = StorageView["conversations"][number];
type Asked = { what: "messages" | "files"; row: Row } | { what: "old" } | null;

const OLD_DAYS = 30;

export function StorageSettings({ host }: { host: HostState }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const language = useLanguage();
  const [space, setSpace] = useState<StorageView | null>(null);
  const [asked, setAsked] = useState<Asked>(null);
  useEffect(() => {
    void roost.client.call("storage", {}).then(setSpace).catch(() => undefined);
  }, [roost]);

  const clear = async (id: string): Promise<void> => {
    await roost.client.call("clear", { conversation: id });
    await roost.thread(id).open();
    roost.refreshConversations();
    setSpace(await roost.client.call("storage", {}));
  };
  const dropFiles = async (request: { conversation?: string; days?: number }): Promise<void> => {
    const before = space?.files ?? 0;
    const now = await roost.client.call("drop-files", request);
    setSpace(now);
    notify(t("storage.freed", { size: fileSize(Math.max(0, before - now.files), language) }));
  };
  const act = (): void => {
    const chosen = asked;
    setAsked(null);
    if (chosen === null) return;
    void roost.attemptTo(() =>
      chosen.what === "messages" ? clear(chosen.row.id) : dropFiles(chosen.what === "files" ? { conversation: chosen.row.id } : { days: OLD_DAYS }),
    );
  };
  if (space === null) return <p>{t("common.wait")}</p>;
  return (
    <>
      <dl className="facts">
        <dt>{t("storage.messages")}</dt>
        <dd>{fileSize(space.database, language)}</dd>
        <dt>{t("storage.files")}</dt>
        <dd>{fileSize(space.files, language)}</dd>
        {host.folder !== "" && (<><dt>{t("storage.folder")}</dt><dd className="mono" dir="ltr">{host.folder}</dd></>)}
      </dl>
      <div><Button disabled={space.files === 0} onPress={() => setAsked({ what: "old" })}>{t("storage.old", { n: OLD_DAYS })}</Button></div>
      <ul className="plain-list">
        {[...space.conversations].sort((a, b) => b.bytes - a.bytes).map((row) => (
          <li key={row.id}>
            <span className="grow">
              <bdi>{cleanName(row.name)}</bdi>
              <span className="hint">{t("storage.row.other", { n: row.messages, files: row.files, size: fileSize(row.bytes, language) })}</span>
            </span>
            <Menu
              label={t("storage.cleanUp", { name: cleanName(row.name) })}
              choices={[
                ...(row.files > 0 ? [{ id: "files", label: t("storage.dropFiles"), icon: "file" as const, run: () => setAsked({ what: "files", row }) }] : []),
                { id: "messages", label: t("chat.clear"), icon: "trash" as const, danger: true, run: () => setAsked({ what: "messages", row }) },
              ]}
            />
          </li>
        ))}
      </ul>
      {asked && <Confirm title={question(asked, t)} text={consequence(asked, t)} danger onClose={() => setAsked(null)} onConfirm={act} />}
    </>
  );
}

function question(asked: NonNullable<Asked>, t: ReturnType<typeof useT>): string {
  return asked.what === "messages" ? t("chat.clear") : t("storage.dropFiles");
}

function consequence(asked: NonNullable<Asked>, t: ReturnType<typeof useT>): string {
  if (asked.what === "old") return t("storage.confirmOld", { n: OLD_DAYS });
  const name = cleanName(asked.row.name);
  return asked.what === "messages" ? t("confirm.clear", { name }) : t("storage.confirmFiles", { name });
}
