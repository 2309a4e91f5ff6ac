    <header><h1><a href="/archive/"><img src="/archive/icon.svg" alt="" width="32" height="32"> <TMPL_VAR NAME="archive"></a></h1></header>
