    <TMPL_IF NAME="forgotten"><p class="text-center"><a href="/auth/resetpwd" trspan="forgotPwd">Forgot your password?</a></p></TMPL_IF>
