# `cmake --install build/release [--prefix DIR]`: the programs, the systemd unit, schema and
# examples.
foreach(program IN ITEMS fulmard fulmar)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION bin)
  endif()
endforeach()

# The unit in the tree names /usr/bin; an install elsewhere names its own folder. The prefix is
# known only when installing, hence the script.
file(GLOB unit CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/config/systemd/fulmard.service")
if(unit)
  install(CODE "
    file(READ \"${unit}\" text)
    string(REPLACE \"/usr/bin/\" \"\${CMAKE_INSTALL_PREFIX}/bin/\" text \"\${text}\")
    set(out \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/fulmard.service\")
    message(STATUS \"Installing: \${out}\")
    file(WRITE \"\${out}\" \"\${text}\")
  ")
endif()

file(GLOB accounts CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/config/systemd/fulmar.sysusers")
file(GLOB folders CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/config/systemd/fulmar.tmpfiles")
if(accounts)
  install(FILES ${accounts} DESTINATION lib/sysusers.d RENAME fulmar.conf)
endif()
if(folders)
  install(FILES ${folders} DESTINATION lib/tmpfiles.d RENAME fulmar.conf)
endif()

file(GLOB schema CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/config/*.schema.json")
file(GLOB examples CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/config/*.json")
list(FILTER examples EXCLUDE REGEX "\\.schema\\.json$")
install(FILES ${schema} DESTINATION share/fulmar)
install(FILES ${examples} DESTINATION share/doc/fulmar/examples)
