import { useEffect, useState, type ReactNode } from "react";
import { Tab, TabList, TabPanel, Tabs } from "react-aria-components";
import type { HostState } from "../api/types";
import { useT } from "../i18n/i18n";
import { Dialog } from "../ui/controls";
import { AboutSettings } from "./AboutSettings";
import { AppearanceSettings } from "./AppearanceSettings";
import { CarrierSettings } from "./CarrierSettings";
import { CourierSettings } from "./CourierSettings";
import { NotificationSettings } from "./NotificationSettings";
import { PrivacySettings } from "./PrivacySettings";
import { ProfileSettings } from "./ProfileSettings";
import { RelaySettings } from "./RelaySettings";
import { ShortcutSettings } from "./ShortcutSettings";
import { StorageSettings } from "./StorageSettings";

const PAGES = ["profile", "appearance", "privacy", "notifications", "relays", "carriers", "couriers", "storage", "shortcuts", "about"] as const;
export type Page = (typeof PAGES)[number];

export default function Settings({ host, first = "profile", onClose }: { host: HostState; first?: Page; onClose: () => void }): ReactNode {
  const t = useT();
  const [page, setPage] = useState<Page>(first);
  useEffect(() => {
    const frame = requestAnimationFrame(() => document.querySelector(`.dialog .tab[data-key="${page}"]`)?.scrollIntoView({ inline: "center", block: "nearest" }));
    return () => cancelAnimationFrame(frame);
  }, [page]);
  return (
    <Dialog title={t("settings.title")} onClose={onClose} wide>
      <Tabs className="tabs side" orientation="vertical" selectedKey={page} onSelectionChange={(key) => setPage(key as Page)}>
        <TabList aria-label={t("settings.title")} className="tab-list">
          {PAGES.map((name) => <Tab key={name} id={name} className="tab">{t(`settings.${name}`)}</Tab>)}
        </TabList>
        <TabPanel key={page} id={page} className="tab-panel">{shown(page, host)}</TabPanel>
      </Tabs>
    </Dialog>
  );
}

function shown(page: Page, host: HostState): ReactNode {
  switch (page) {
    case "profile":
      return <ProfileSettings />;
    case "appearance":
      return <AppearanceSettings />;
    case "privacy":
      return <PrivacySettings host={host} />;
    case "notifications":
      return <NotificationSettings />;
    case "relays":
      return <RelaySettings />;
    case "carriers":
      return <CarrierSettings />;
    case "couriers":
      return <CourierSettings />;
    case "storage":
      return <StorageSettings host={host} />;
    case "shortcuts":
      return <ShortcutSettings />;
    case "about":
      return <AboutSettings />;
  }
}
