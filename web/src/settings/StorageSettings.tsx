import { useEffect, useState, type ReactNode } from "react";
import type { HostState, StorageView } from "../api/types";
import { useLanguage, useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";
import { Button } from "../ui/controls";
import { cleanName, fileSize } from "../ui/text";

export function StorageSettings({ host }: { host: HostState }): ReactNode {
  const roost = useRoost();
  const t = useT();
  const language = useLanguage();
  const [space, setSpace] = useState<StorageView | null>(null);
  const load = (): void => void roost.client.call("storage", {}).then(setSpace).catch(() => undefined);
  useEffect(load, [roost]);
  const clear = (id: string): void =>
    void roost.attemptTo(async () => {
      await roost.client.call("clear", { conversation: id });
      await roost.thread(id).open();
      roost.refreshConversations();
      load();
    });
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
      <ul className="plain-list">
        {[...space.conversations].sort((a, b) => b.bytes - a.bytes).map((row) => (
          <li key={row.id}>
            <span className="grow">
              <bdi>{cleanName(row.name)}</bdi>
              <span className="hint">{t("storage.row.other", { n: row.messages, files: row.files, size: fileSize(row.bytes, language) })}</span>
            </span>
            <Button kind="danger" onPress={() => clear(row.id)} disabled={row.messages === 0}>{t("storage.clear")}</Button>
          </li>
        ))}
      </ul>
    </>
  );
}
