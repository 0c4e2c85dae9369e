// Adds what cannot work without a script: a button that copies the key which is shown once.
const button = document.getElementById("copy");
const key = document.getElementById("api-key");
const news = document.getElementById("copied");

button.hidden = false;
button.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(key.textContent);
    news.textContent = "Copied.";
  } catch {
    getSelection().selectAllChildren(key);
    news.textContent = "Selected: press Ctrl+C, or Command+C on a Mac.";
  }
});
