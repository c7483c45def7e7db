// A still picture.

document.body.classList.add("pictured");
$("picture").src = PAGE.picture;
