// Opens report pages in a headless Chromium, and checks what a person would see.
//
//   node report.mjs PAGE.html...      needs puppeteer-core (npm ci) and Chromium (CHROMIUM=/path/to/it)
//
// Screenshots of each page are written beside it: desktop, phone, dark and print; and the printed page as PDF.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const CANDIDATES = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = CANDIDATES.find((candidate) => candidate && existsSync(candidate));
if (!executablePath) {
  console.log("skipped: there is no Chromium; install it, or set CHROMIUM");
  process.exit(0);
}
const pages = process.argv.slice(2);
assert.ok(pages.length > 0, "usage: node report.mjs PAGE.html...");

const SIZES = {
  desktop: { width: 1280, height: 900 },
  phone: { width: 360, height: 740, isMobile: true, hasTouch: true },
};

/** Opens the page, and collects everything that the console or the network says. */
async function open(browser, file, viewport) {
  const page = await browser.newPage();
  const problems = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("requestfailed", (request) => problems.push(`failed: ${request.url().slice(0, 100)}`));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith("data:") && !url.startsWith("blob:") && url !== pathToFileURL(file).href) {
      problems.push(`the page loads ${url}`);
    }
  });
  await page.setViewport(viewport);
  await page.goto(pathToFileURL(file).href);
  await settle(page);
  return { page, problems };
}

/** Waits until the figures are drawn. */
async function settle(page) {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** The text of a share, as `certimix recommend` prints it. */
function share(count, total) {
  const group = (number) => number.toLocaleString("en-US");
  return `(${group(count)} of ${group(total)})`;
}

async function shownNumbers(page) {
  return page.evaluate(() => ({
    summary: document.getElementById("summary").textContent,
    command: document.getElementById("command").textContent,
    numbers: Object.fromEntries(
      [...document.querySelectorAll("#numbers dt")].map((title) => [title.textContent, title.nextSibling.textContent]),
    ),
    sliders: Object.fromEntries(
      [...document.querySelectorAll("#controls input")].map((input) => [input.id, input.getAttribute("aria-valuetext")]),
    ),
  }));
}

/** Checks the numbers of the page against those of the mixture in the data of the page. */
async function checkShown(page, data, mixture, radius) {
  const shown = await shownNumbers(page);
  const accurate = data.labelled ? mixture.right : mixture.as_standard;
  const title = data.labelled ? "Clean accuracy" : "Same class as g";
  assert.ok(shown.numbers[title].endsWith(share(accurate, mixture.inputs)), JSON.stringify(shown));
  const certified = Object.keys(shown.numbers).find((name) => /^(Right and c|C)ertified at/.test(name));
  assert.ok(shown.numbers[certified].endsWith(share(mixture.certified[radius], mixture.inputs)), JSON.stringify(shown));
  assert.equal(shown.command, mixture.command);
  assert.ok(Number(shown.sliders.alpha) - mixture.alpha < 1e-4, JSON.stringify(shown.sliders));
  const classes = await page.$$eval("#classes-table tbody tr", (rows) =>
    rows.map((row) => [...row.cells].map((cell) => cell.textContent)),
  );
  assert.equal(classes.length, mixture.classes.length);
  mixture.classes.forEach(([inputs, right], index) => {
    assert.equal(classes[index][0], data.labels[index]);
    assert.equal(classes[index][1], inputs.toLocaleString("en-US"));
    const percent = Number.parseFloat(classes[index][2]);
    assert.ok(inputs === 0 || Math.abs(percent - (100 * right) / inputs) <= 0.051, classes[index].join());
  });
  return shown;
}

/** The index of the selected mixture, from the positions of the sliders. */
async function selectedIndex(page) {
  return page.evaluate(() => selection.mixture);
}

/** Moves each slider with the keyboard over all its values. */
async function checkSliders(page, data) {
  const seen = new Set();
  for (const id of ["fallback_alpha", "robust_temperature", "alpha"]) {
    if (await page.$eval(`#${id}`, (input) => input.disabled)) continue;
    await page.focus(`#${id}`);
    await page.keyboard.press("Home");
    const steps = await page.$eval(`#${id}`, (input) => Number(input.max));
    for (let step = 0; step <= steps; step += 1) {
      assert.equal(await page.$eval(`#${id}`, (input) => Number(input.value)), step);
      const index = await selectedIndex(page);
      seen.add(index);
      await checkShown(page, data, data.mixtures[index], await page.evaluate(() => selection.radius));
      await page.keyboard.press("ArrowRight");
    }
  }
  if (data.mixtures.length > 1) assert.ok(seen.size > 1, "the sliders move");
  await page.focus("#radius");
  await page.keyboard.press("End");
  await checkShown(page, data, data.mixtures[await selectedIndex(page)], data.radii.length - 1);
}

/** Presses the buttons, and checks where they lead. */
async function checkButtons(page, data) {
  for (const [name, index] of [["Recommended", data.recommended], ["In force", data.in_force], ["Served", data.in_force]]) {
    const button = await page.$(`xpath/.//form//button[text()="${name}"]`);
    if (!button) continue;
    await button.click();
    const mixture = data.mixtures[index];
    const shown = await checkShown(page, data, mixture, await page.evaluate(() => selection.radius));
    assert.match(shown.summary, name === "Recommended" ? /recommended/ : /in force|served/);
  }
}

/** Each figure has a name, a drawing with marks, and its numbers as a table. */
async function checkFigures(page) {
  const figures = await page.$$eval("#figures > section", (sections) =>
    sections.map((section) => {
      section.querySelector("details").open = true;
      const drawing = section.querySelector(".chart svg");
      return { id: section.id, label: drawing?.getAttribute("aria-label"), marks: drawing?.querySelectorAll("path, rect, circle").length };
    }),
  );
  assert.ok(figures.length >= 3);
  await settle(page);
  for (const { id, label, marks } of figures) {
    assert.ok(label && marks > 0, `${id} has no drawing`);
    const rows = await page.$$eval(`#${id} table tbody tr`, (found) => found.length);
    assert.ok(rows > 0, `${id} has no table`);
  }
  await page.$$eval("#figures details", (all) => all.forEach((details) => (details.open = false)));
}

/** The buttons write an SVG that a parser accepts, and a PNG. */
async function checkDownloads(browser, page, folder) {
  const client = await browser.target().createCDPSession();
  await client.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
  const ids = await page.$$eval("#figures > section", (sections) => sections.map((section) => section.id));
  for (const id of ids) {
    for (const kind of ["svg", "png"]) {
      await page.$eval(`#${id} .buttons button:nth-child(${kind === "svg" ? 1 : 2})`, (button) => button.click());
      const file = path.join(folder, `${id}.${kind}`);
      for (let wait = 0; wait < 100 && !existsSync(file); wait += 1) await new Promise((done) => setTimeout(done, 100));
      const bytes = await readFile(file);
      if (kind === "png") {
        assert.equal(bytes.subarray(1, 4).toString(), "PNG");
        assert.ok(bytes.length > 5000, `${file} is empty`);
      } else {
        const error = await page.evaluate(
          (text) => new DOMParser().parseFromString(text, "image/svg+xml").querySelector("parsererror")?.textContent ?? null,
          bytes.toString(),
        );
        assert.equal(error, null);
        assert.doesNotMatch(bytes.toString(), /var\(--(?!plot-)/, "a downloaded figure has colours of its own");
      }
    }
  }
  return readdir(folder);
}

/** Nothing is wider than the screen, except what scrolls in its own region. */
async function checkWidth(page) {
  const { width, content } = await page.evaluate(() => ({
    width: document.documentElement.clientWidth,
    content: document.documentElement.scrollWidth,
  }));
  assert.ok(content <= width, `the page is ${content} wide on a screen of ${width}`);
}

/** Every control can be reached by Tab, and has a name. */
async function checkNames(page) {
  const nameless = await page.$$eval("button, input, summary, a[href], [tabindex='0']", (nodes) =>
    nodes
      .filter((node) => {
        const name = node.getAttribute("aria-label") || node.getAttribute("aria-labelledby") || node.textContent.trim();
        return !name && !(node.labels?.length > 0);
      })
      .map((node) => node.outerHTML.slice(0, 80)),
  );
  assert.deepEqual(nameless, []);
  const images = await page.$$eval("img", (all) => all.filter((image) => !image.alt).length);
  assert.equal(images, 0);
}

async function check(browser, file) {
  const stem = file.replace(/\.html$/, "");
  const { page, problems } = await open(browser, file, SIZES.desktop);
  const data = await page.evaluate(() => JSON.parse(document.getElementById("report-data").textContent));
  await checkShown(page, data, data.mixtures[data.selected], data.shown_radius);
  await page.screenshot({ path: `${stem}-desktop.png`, fullPage: true });
  await checkFigures(page);
  await checkNames(page);
  await checkSliders(page, data);
  await checkButtons(page, data);
  await checkWidth(page);
  const downloads = await mkdtemp(path.join(tmpdir(), "certimix-report-"));
  await checkDownloads(browser, page, downloads);
  await page.pdf({ path: `${stem}-print.pdf`, format: "A4" });
  await page.emulateMediaType("print");
  await page.setViewport({ width: 794, height: 1123 });
  await settle(page);
  await page.screenshot({ path: `${stem}-print.png`, fullPage: true });
  const hidden = await page.$$eval("input, button", (nodes) => nodes.every((node) => node.offsetParent === null));
  assert.ok(hidden, "paper has no buttons and sliders");
  await page.emulateMediaType(null);
  await page.setViewport(SIZES.desktop);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  await settle(page);
  await page.screenshot({ path: `${stem}-dark.png`, fullPage: true });
  const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(background, "rgb(13, 17, 23)");
  assert.deepEqual(problems, []);
  await page.close();

  const phone = await open(browser, file, SIZES.phone);
  await checkWidth(phone.page);
  await phone.page.screenshot({ path: `${stem}-phone.png`, fullPage: true });
  assert.deepEqual(phone.problems, []);
  await phone.page.close();
  console.log(`${file}: ok, ${data.mixtures.length} mixtures; figures in ${downloads}`);
}

const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox"], headless: true });
try {
  for (const file of pages) await check(browser, path.resolve(file));
} finally {
  await browser.close();
}
