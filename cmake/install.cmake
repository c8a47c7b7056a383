# cmake --install BUILD [--prefix DIR]: the program, its manual pages and the
# scripts for the Tab key of bash, zsh and fish.  The program itself writes
# them, from its table of commands.
include(GNUInstallDirs)
set(share ${PROJECT_BINARY_DIR}/share)

add_custom_command(
    OUTPUT ${share}/stamp
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${share}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${share}
    COMMAND xmbl man --output ${share}/man1
    COMMAND xmbl completion bash > ${share}/xmbl.bash
    COMMAND xmbl completion zsh > ${share}/_xmbl
    COMMAND xmbl completion fish > ${share}/xmbl.fish
    COMMAND ${CMAKE_COMMAND} -E touch ${share}/stamp
    DEPENDS xmbl
    COMMENT "manual pages and completion"
    VERBATIM)
add_custom_target(share ALL DEPENDS ${share}/stamp)

install(TARGETS xmbl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY ${share}/man1/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${share}/xmbl.bash RENAME xmbl
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${share}/_xmbl
    DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install(FILES ${share}/xmbl.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
