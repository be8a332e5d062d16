# `cmake --install build/release [--prefix DIR]`: the programs, the systemd unit, the schema and an example.
foreach(program IN ITEMS fulmard fulmar)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()

file(GLOB unit CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/config/systemd/fulmard.service")
if(unit)
  # The unit in the tree names /usr/bin and /etc; an install elsewhere names its own folders.
  file(READ "${unit}" text)
  string(REPLACE "/usr/bin/" "${CMAKE_INSTALL_FULL_BINDIR}/" text "${text}")
  string(REPLACE "/etc/fulmar/" "${CMAKE_INSTALL_FULL_SYSCONFDIR}/fulmar/" text "${text}")
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/fulmard.service" CONTENT "${text}" @ONLY)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${unit}")
  install(FILES "${CMAKE_BINARY_DIR}/generated/fulmard.service" DESTINATION lib/systemd/system)
endif()

file(GLOB schema CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/config/*.schema.json")
file(GLOB examples CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/config/*.json")
list(FILTER examples EXCLUDE REGEX "\\.schema\\.json$")
install(FILES ${schema} DESTINATION ${CMAKE_INSTALL_DATADIR}/fulmar)
install(FILES ${examples} DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
