 <script src="/archive/theme.js"></script>
 <link rel="stylesheet" href="/archive/login.css">
