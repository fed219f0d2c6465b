import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The page is served by the agent itself (src/roost/apps/web/site.py) and may load nothing from anywhere else.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/roost/apps/web/static",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    target: "es2023",
  },
});
