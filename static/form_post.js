// Sends the answer on to the app at once. Without scripts the page's button does the same.
document.getElementById("form-post").submit();
