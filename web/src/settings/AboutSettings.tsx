import { useEffect, useState, type ReactNode } from "react";
import type { SoftwareInfo } from "../api/types";
import { useT } from "../i18n/i18n";
import { useRoost } from "../state/roost";

export function AboutSettings(): ReactNode {
  const roost = useRoost();
  const t = useT();
  const [info, setInfo] = useState<SoftwareInfo | null>(null);
  useEffect(() => {
    void roost.client.call("software-info", {}).then(setInfo).catch(() => undefined);
  }, [roost]);
  return (
    <>
      <div className="picture-row">
        <img src="/icon.svg" alt="" width="56" height="56" />
        <div>
          <h3>Roost</h3>
          <p className="hint">{info ? t("about.version", { version: info.version || "?" }) : t("common.wait")}</p>
        </div>
      </div>
      <p>{t("about.what")}</p>
      <p>{t("about.how")}</p>
      {info && (
        <dl className="facts">
          <dt>{t("about.license")}</dt>
          <dd>{info.license || "?"}</dd>
          <dt>{t("about.runs")}</dt>
          <dd dir="ltr">Python {info.python}, {info.system}</dd>
        </dl>
      )}
      <p className="hint">{t("about.free")}</p>
    </>
  );
}
